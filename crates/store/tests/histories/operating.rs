//! Operators' steps and registrations.

use oyez_domain::actor::Actor;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::{Kind, Target, Wish};
use oyez_domain::tpp::{Overrides, Standing};
use oyez_domain::version::ApiVersion;

use super::{Player, both, whole};
use crate::making::{callback, everything, profile, pushed_to};
use crate::step::{Step, WishOf};

impl Player<'_> {
    pub(super) async fn operate(&mut self, step: Step) {
        let (by, now) = (Actor::Operator("ada".to_owned()), self.now);
        match step {
            Step::Register(tpp) => {
                let (id, profile) = (self.name(tpp), profile(Overrides::default()));
                both!(
                    self,
                    |it| it.register_tpp(by.clone(), id.clone(), profile.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::ChangeTpp(tpp, order) => {
                let overrides = Overrides {
                    delivery_order: Some(order),
                    ..Overrides::default()
                };
                let (id, profile) = (self.name(tpp), profile(overrides));
                both!(
                    self,
                    |it| it.change_tpp(by.clone(), id.clone(), profile.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::Disable(tpp) => {
                let standing = Standing::Disabled {
                    at: now,
                    reason: "by a test".to_owned(),
                };
                both!(
                    self,
                    |it| it.set_standing(by.clone(), self.name(tpp), standing.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::Enable(tpp) => {
                both!(
                    self,
                    |it| it.set_standing(by.clone(), self.name(tpp), Standing::Active, now),
                    whole
                )
                .unwrap();
            }
            Step::Withdraw(tpp, events) => {
                let jtis = self.named(tpp, &events);
                both!(
                    self,
                    |it| it.withdraw(by.clone(), self.name(tpp), jtis.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::RetryPushes(tpp, events) => {
                let jtis = self.named(tpp, &events);
                both!(
                    self,
                    |it| it.retry_pushes(by.clone(), self.name(tpp), jtis.clone(), now),
                    whole
                )
                .unwrap();
            }
            Step::Requeue {
                tpp,
                accepted_ago,
                events_max,
            } => {
                let range = now - accepted_ago..now;
                both!(
                    self,
                    |it| it.requeue_failed(
                        by.clone(),
                        self.name(tpp),
                        range.clone(),
                        events_max,
                        now
                    ),
                    whole
                )
                .unwrap();
            }
            Step::Pause(tpp) => {
                both!(
                    self,
                    |it| it.pause_endpoint(by.clone(), self.name(tpp), now),
                    whole
                )
                .unwrap();
            }
            Step::Resume(tpp) => {
                both!(
                    self,
                    |it| it.resume_endpoint(by.clone(), self.name(tpp), now),
                    whole
                )
                .unwrap();
            }
            other => unreachable!("no operator's step: {other:?}"),
        }
    }

    pub(super) async fn register(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Create { tpp, wish, api } => {
                self.registrations_made += 1;
                let id = RegistrationId::new(format!("r-{}", self.registrations_made)).unwrap();
                let (_, wish) = wish_of(tpp, &wish);
                both!(
                    self,
                    |it| it.create_registration(self.name(tpp), id.clone(), wish.clone(), api, now),
                    whole
                )
                .unwrap()
                .ok();
            }
            Step::Replace {
                tpp,
                owner,
                wish,
                api,
            } => {
                let (kind, wish) = wish_of(tpp, &wish);
                let target = self.target(owner, kind, api).await;
                both!(
                    self,
                    |it| it.replace_registration(self.name(tpp), target.clone(), wish.clone(), now),
                    whole
                )
                .unwrap()
                .ok();
            }
            Step::Delete {
                tpp,
                owner,
                kind,
                api,
            } => {
                let target = self.target(owner, kind, api).await;
                both!(
                    self,
                    |it| it.delete_registration(self.name(tpp), target.clone(), now),
                    whole
                )
                .unwrap()
                .ok();
            }
            Step::Remove(tpp, kind) => {
                let by = Actor::Operator("ada".to_owned());
                both!(
                    self,
                    |it| it.remove_registration(by.clone(), self.name(tpp), kind, now),
                    whole
                )
                .unwrap()
                .ok();
            }
            other => unreachable!("no registration's step: {other:?}"),
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
