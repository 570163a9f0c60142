//! Coming in and going out, each told in the log: who, from where, and whether it was let in; never a token.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use maud::{Markup, html};
use oyez_domain::time::Timestamp;

use super::leaving::{Reply, Tale};
use super::sessions::Session;
use super::visit::{Pairs, Trouble, Visit, may_log_in};
use super::{Console, origin};

impl Console {
    /// `GET /console/login`.
    pub(super) fn login_page(&self, is_logged_in: bool, next: &str) -> Reply {
        let next = origin::within(next);
        if is_logged_in {
            return Reply::Redirect(next.to_owned());
        }
        self.login(next, None, StatusCode::OK)
    }

    /// `POST /console/login`. Whoever was logged in in this browser is not any more.
    pub(super) fn log_in(
        &self,
        before: Option<Session>,
        address: IpAddr,
        form: &Pairs,
        now: Timestamp,
        tale: &mut Tale,
    ) -> Result<Reply, Trouble> {
        let next = origin::within(form.of_name("next")).to_owned();
        self.throttle
            .admit(address, now)
            .map_err(Trouble::Throttled)?;
        let token = form.of_name("token");
        let operators = Arc::clone(&self.operators.borrow());
        let Some(operator) = operators.by_token(token) else {
            self.throttle.failed(address, now);
            tracing::warn!(client.address = %address, "a login at the console failed: the token is not known");
            let why = "This token is not known here.";
            return Err(Trouble::Refused { why, next });
        };
        if !may_log_in(operator) {
            self.throttle.failed(address, now);
            let name = &operator.name;
            tracing::warn!(client.address = %address, operator = name, "a login at the console failed: a publisher's token");
            let why = "This token belongs to a system that publishes events. The console is for viewers, operators and admins.";
            return Err(Trouble::Refused { why, next });
        }
        if let Some(before) = before {
            self.sessions.end(&before);
        }
        let (session, cookie) = self.sessions.begin(operator, token, now);
        tale.enter(&session, Some(cookie));
        let (name, role) = (&operator.name, operator.role.name());
        tracing::info!(client.address = %address, operator = name, role, "logged in at the console");
        Ok(Reply::Redirect(next))
    }

    /// `POST /console/logout`.
    pub(super) fn log_out(&self, visit: &Visit, tale: &mut Tale) -> Reply {
        let cookie = self.sessions.end(&visit.session);
        tale.enter(&visit.session, Some(cookie));
        let name = &visit.session.operator.name;
        tracing::info!(operator = name, "logged out at the console");
        Reply::Redirect("/console/login".to_owned())
    }

    /// The form, with what was wrong before.
    pub(super) fn login(&self, next: &str, wrong: Option<&str>, status: StatusCode) -> Reply {
        Reply::Bare {
            title: "Log in",
            main: form(next, wrong),
            status,
        }
    }
}

fn form(next: &str, wrong: Option<&str>) -> Markup {
    html! {
        div.door {
            h1 { "Log in" }
            @if let Some(wrong) = wrong {
                p.note.warn role="alert" { (wrong) }
            }
            form method="post" action="/console/login" {
                input type="hidden" name="next" value=(next);
                label for="token" {
                    "Operator token"
                    span.hint { "The same as for the internal API and " code { "oyez" } " on the command line." }
                }
                input #token type="password" name="token" required autocomplete="current-password" autofocus;
                button type="submit" { "Log in" }
            }
        }
    }
}
