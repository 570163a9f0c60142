//! Operators' steps and registrations.

use oyez_domain::actor::Actor;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::tpp::{Overrides, Standing};
use oyez_domain::version::ApiVersion;

use super::{Player, both, whole};
use crate::step::{Act, Change, Mend, WishOf};
use oyez_testkit::making::{callback, everything, profile, pushed_to};

impl Player<'_> {
    pub(super) async fn govern(&self, tpp: usize, act: Act) {
        let (by, id, now) = (operator(), self.name(tpp), self.now);
        match act {
            Act::Register => {
                let profile = profile(Overrides::default());
                both!(
                    self,
                    |it| it.register_tpp(by.clone(), id.clone(), profile.clone(), now),
                    whole
                )
                .unwrap();
            }
            Act::Change(order) => {
                let delivery_order = Some(order);
                let profile = profile(Overrides {
                    delivery_order,
                    ..Overrides::default()
                });
                both!(
                    self,
                    |it| it.change_tpp(by.clone(), id.clone(), profile.clone(), now),
                    whole
                )
                .unwrap();
            }
            Act::Disable => {
                let standing = Standing::Disabled {
                    at: now,
                    reason: "by a test".to_owned(),
                };
                self.stand(tpp, standing).await;
            }
            Act::Enable => self.stand(tpp, Standing::Active).await,
            Act::Pause => {
                both!(
                    self,
                    |it| it.pause_endpoint(by.clone(), id.clone(), now),
                    whole
                )
                .unwrap();
            }
            Act::Resume => {
                both!(
                    self,
                    |it| it.resume_endpoint(by.clone(), id.clone(), now),
                    whole
                )
                .unwrap();
            }
        }
    }

    async fn stand(&self, tpp: usize, standing: Standing) {
        let (by, id, now) = (operator(), self.name(tpp), self.now);
        both!(
            self,
            |it| it.set_standing(by.clone(), id.clone(), standing.clone(), now),
            whole
        )
        .unwrap();
    }

    pub(super) async fn mend(&self, tpp: usize, mend: Mend) {
        let (by, id, now) = (operator(), self.name(tpp), self.now);
        match mend {
            Mend::Withdraw(events) => {
                let jtis = self.named(tpp, &events);
                both!(
                    self,
                    |it| it.withdraw(by.clone(), id.clone(), jtis.clone(), now),
                    whole
                )
                .unwrap();
            }
            Mend::RetryPushes(events) => {
                let jtis = self.named(tpp, &events);
                both!(
                    self,
                    |it| it.retry_pushes(by.clone(), id.clone(), jtis.clone(), now),
                    whole
                )
                .unwrap();
            }
            Mend::Requeue {
                accepted_ago,
                events_max,
            } => {
                let range = now - accepted_ago..now;
                both!(
                    self,
                    |it| it.requeue_failed(by.clone(), id.clone(), range.clone(), events_max, now),
                    whole
                )
                .unwrap();
            }
        }
    }

    pub(super) async fn disown(&self, key: usize) {
        let (kid, now) = (self.kid(key), self.now);
        both!(
            self,
            |it| it.disown_key(operator(), kid.clone(), now),
            whole
        )
        .unwrap();
    }

    pub(super) async fn register(&mut self, tpp: usize, change: Change) {
        let (client_id, now) = (self.name(tpp), self.now);
        match change {
            Change::Create { wish, api } => {
                self.registrations_made += 1;
                let id = RegistrationId::new(format!("r-{}", self.registrations_made)).unwrap();
                let (_, wish) = wish_of(tpp, &wish);
                both!(
                    self,
                    |it| it.create_registration(
                        client_id.clone(),
                        id.clone(),
                        wish.clone(),
                        api,
                        now
                    ),
                    whole
                )
                .unwrap()
                .ok();
            }
            Change::Replace { owner, wish, api } => {
                let (kind, wish) = wish_of(tpp, &wish);
                let target = self.target(owner, kind, api).await;
                both!(
                    self,
                    |it| it.replace_registration(
                        client_id.clone(),
                        target.clone(),
                        wish.clone(),
                        now
                    ),
                    whole
                )
                .unwrap()
                .ok();
            }
            Change::Delete { owner, kind, api } => {
                let target = self.target(owner, kind, api).await;
                both!(
                    self,
                    |it| it.delete_registration(client_id.clone(), target.clone(), now),
                    whole
                )
                .unwrap()
                .ok();
            }
            Change::Remove(kind) => {
                both!(
                    self,
                    |it| it.remove_registration(operator(), client_id.clone(), kind, now),
                    whole
                )
                .unwrap()
                .ok();
            }
        }
    }

    /// A TPP's registration by its id, or an id that nobody has.
    async fn target(&self, owner: usize, kind: Kind, api: ApiVersion) -> Target {
        let known = both!(self, |it| it.registrations(self.name(owner)), whole).unwrap();
        let id = match kind {
            Kind::Subscription => known.subscription.map(|it| it.id),
            Kind::CallbackUrl => known.callback_url.map(|it| it.id),
        };
        let id = id.unwrap_or_else(|| RegistrationId::new("nobody's").unwrap());
        Target { kind, id, api }
    }
}

fn operator() -> Actor {
    Actor::Operator("ada".to_owned())
}

fn wish_of(tpp: usize, wish: &WishOf) -> (Kind, Wish) {
    let host = format!("tpp-{tpp}.example");
    match wish {
        WishOf::Subscription {
            pushed,
            types,
            version,
        } => {
            let mut wish = everything();
            wish.version = version.parse().unwrap();
            wish.event_types = types
                .as_ref()
                .map(|types| types.iter().map(|it| (*it).to_owned()).collect());
            let wish = if *pushed {
                pushed_to(&host, wish)
            } else {
                wish
            };
            (Kind::Subscription, Wish::Subscription(wish))
        }
        WishOf::CallbackUrl => (Kind::CallbackUrl, Wish::CallbackUrl(callback(&host))),
    }
}
