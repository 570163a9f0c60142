//! The ways of not being allowed, and how each is refused (A-01 … A-09, G-06, G-08).

use oyez_domain::time::Timestamp;
use oyez_web::tpp::{Operation, Route};
use serde_json::json;

use super::{
    Case, Challenge, Expected, World, everything, what_names_a_registration,
    what_polling_does_not_open,
};
use crate::keys;
use crate::tokens::Token;
use crate::tpp::Request;

/// All of them.
pub(super) fn all() -> impl Iterator<Item = Case> {
    without_a_token()
        .into_iter()
        .chain(by_a_bad_token())
        .chain(by_the_wrong_client())
}

fn without_a_token() -> [Case; 5] {
    [
        unauthenticated("no token", |world, route| {
            world.good(&world.victim, route).authorization(None)
        })
        .challenged(Challenge::WithoutError),
        unauthenticated("another scheme", |world, route| {
            let good = world.good(&world.victim, route);
            good.authorization(Some("Basic dHBwLTE6c2VjcmV0"))
        })
        .challenged(Challenge::WithoutError),
        unauthenticated("a token in the query string", |world, route| {
            let token = world.victim.token().mint();
            let path = format!("{}?access_token={token}", route.path);
            let route = Route {
                path,
                ..route.clone()
            };
            world.good(&world.victim, &route).authorization(None)
        })
        .challenged(Challenge::WithoutError),
        unauthenticated("garbage", |world, route| {
            world
                .good(&world.victim, route)
                .authorization(Some("Bearer .."))
        }),
        unauthenticated("what cannot be a token", |world, route| {
            let good = world.good(&world.victim, route);
            good.authorization(Some("Bearer a, b"))
        }),
    ]
}

fn by_a_bad_token() -> Vec<Case> {
    vec![
        token("an expired token", |world| {
            let (token, now) = of(world);
            token.claim("iat", now - 7_200).claim("exp", now - 3_600)
        })
        .telling_expiry(),
        token("a token that holds later", |world| {
            let (token, now) = of(world);
            token.claim("nbf", now + 3_600)
        }),
        token("a token without an end", |world| of(world).0.without("exp")),
        token("another issuer", |world| {
            of(world).0.claim("iss", "https://as.other.example")
        }),
        token("another audience", |world| {
            of(world).0.claim("aud", "https://api.other.example")
        }),
        token("another key", |world| of(world).0.signed_by(&keys::p256())),
        token("alg none", |world| of(world).0.unsecured()),
        token("HS256 with the public key", |world| {
            let server = &world.bank.site().authorisation_server;
            of(world).0.hs256_by_public_key(server)
        }),
        token("a token of no type", |world| {
            of(world).0.without_header("typ")
        }),
        token("an unbound token", |world| of(world).0.without("cnf")),
        token("a token bound to another certificate", |world| {
            let other = world.neighbour.certificate().unwrap().thumbprint();
            of(world).0.claim("cnf", json!({ "x5t#S256": other }))
        }),
        token("a SET", |world| {
            let token = of(world).0.header("typ", "secevent+jwt");
            token.claim("events", json!({ "urn:x": {} }))
        }),
        token("a SET in the clothes of a token", |world| {
            of(world).0.claim("events", json!({ "urn:x": {} }))
        }),
        token("a token that names no client", |world| {
            of(world).0.without("client_id").without("sub")
        }),
        unauthenticated("a stolen token", |world, route| {
            let token = world.victim.token();
            world.good(&world.neighbour, route).token(&token)
        }),
        unauthenticated("no certificate", |world, route| {
            let token = world.victim.token();
            let bare = world.victim.clone().with_certificate(None);
            world.good(&bare, route).token(&token)
        }),
    ]
}

fn by_the_wrong_client() -> [Case; 6] {
    [
        forbidden("another scope", everything, |world, route| {
            let token = world.victim.token().claim("scope", "openid");
            world.good(&world.victim, route).token(&token)
        })
        .challenged(Challenge::InsufficientScope),
        forbidden(
            "a scope of polling alone",
            what_polling_does_not_open,
            |world, route| {
                let token = world.victim.token().claim("scope", "eventpolling");
                world.good(&world.victim, route).token(&token)
            },
        )
        .challenged(Challenge::InsufficientScope),
        forbidden("a user's token", everything, |world, route| {
            let token = world.victim.token().claim("sub", "user-7");
            world.good(&world.victim, route).token(&token)
        }),
        forbidden("an unknown client", everything, |world, route| {
            world.good(&world.unknown, route)
        }),
        forbidden("a disabled client", everything, |world, route| {
            world.good(&world.disabled, route)
        }),
        forbidden(
            "another TPP's id",
            what_names_a_registration,
            |world, route| world.good(&world.neighbour, route),
        ),
    ]
}

/// The victim's own token, to be made bad, and the moment in its seconds.
fn of(world: &World<'_>) -> (Token, i64) {
    (
        world.victim.token(),
        Timestamp::unix_seconds(world.bank.now()),
    )
}

fn unauthenticated(name: &'static str, request: fn(&World<'_>, &Route) -> Request) -> Case {
    Case {
        name,
        applies: everything,
        request: Box::new(request),
        expected: Expected {
            status: 401,
            challenge: Challenge::InvalidToken,
            tells_expiry: false,
        },
    }
}

fn token(name: &'static str, spoil: fn(&World<'_>) -> Token) -> Case {
    Case {
        request: Box::new(move |world, route| {
            world.good(&world.victim, route).token(&spoil(world))
        }),
        ..unauthenticated(name, |world, route| world.good(&world.victim, route))
    }
}

fn forbidden(
    name: &'static str,
    applies: fn(Operation) -> bool,
    request: fn(&World<'_>, &Route) -> Request,
) -> Case {
    Case {
        applies,
        expected: Expected {
            status: 403,
            challenge: Challenge::Absent,
            tells_expiry: false,
        },
        ..unauthenticated(name, request)
    }
}

impl Case {
    fn challenged(mut self, challenge: Challenge) -> Self {
        self.expected.challenge = challenge;
        self
    }

    fn telling_expiry(mut self) -> Self {
        self.expected.tells_expiry = true;
        self
    }
}
