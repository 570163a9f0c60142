//! Requests that leave: to the authorisation server, on the bank's own word, and to TPPs for their keys, on theirs. Each has a
//! client of its own, so that what a TPP names is judged (D-12) and what the bank names is not.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use oyez_domain::address::{Policy, judge};
use oyez_domain::time::Clock;
use oyez_outbound::{
    Anchors, Client, DefaultTimeProvider, HeaderValue, Identity, Limits, PlainHttp, Proxy, Setup,
    SystemResolver, Tls, TlsError,
};
use oyez_web::remote_keys::{self, RemoteKeys};
use oyez_web::tokens::introspection::{self, Credentials};
use oyez_web::tokens::{BadOptions, ValidateTokens, jwt};
use tokio_util::task::TaskTracker;

use super::material::Material;
use crate::config::{Config, KeysAt, Validation};
use crate::failure::Failure;
use crate::files::{bytes, secret, secret_bytes};

/// What all requests that leave have in common.
pub(super) struct Outward<'a> {
    config: &'a Config,
    anchors: Anchors,
    proxy: Option<Proxy>,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

/// Whom a client is for.
enum Peers {
    AuthorisationServer,
    Collector,
    Tpps,
}

impl<'a> Outward<'a> {
    pub(super) fn new(
        config: &'a Config,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
    ) -> Result<Self, Failure> {
        Ok(Self {
            config,
            anchors: anchors(config.outbound.trust_anchors.as_deref())?,
            proxy: proxy(config)?,
            clock,
            tasks,
        })
    }

    /// The keys of TPPs that are not stored with them (M-05).
    pub(super) fn tpp_keys(&self) -> Result<Arc<RemoteKeys>, Failure> {
        let client = self.client(&Peers::Tpps, remote_keys::limits())?;
        Ok(self.remote_keys(client))
    }

    /// Whoever says whether a token holds.
    pub(super) fn tokens(
        &self,
        material: &mut Material,
    ) -> Result<Arc<dyn ValidateTokens>, Failure> {
        match self.config.tokens.validation {
            Validation::Jwt => self.jwt(material),
            Validation::Introspection => self.introspection(),
        }
    }

    fn jwt(&self, material: &mut Material) -> Result<Arc<dyn ValidateTokens>, Failure> {
        let tokens = &self.config.tokens;
        let (Some(issuer), Some(place)) = (&tokens.issuer, &tokens.jwks) else {
            unreachable!("reading refused a validation that lacks what it needs");
        };
        let keys = match place {
            KeysAt::File(path) => jwt::Keys::Given(material.token_keys(path)?),
            KeysAt::Url(url) => {
                let client = self.client(&Peers::AuthorisationServer, remote_keys::limits())?;
                jwt::Keys::AtUrl {
                    url: url.to_string(),
                    remote: self.remote_keys(client),
                }
            }
        };
        let options = jwt::Options {
            issuer: issuer.to_string(),
            audiences: tokens.audiences.clone(),
            algorithms: tokens.algorithms.clone(),
            types: tokens.typ,
            leeway: tokens.leeway,
        };
        let validator = jwt::Validator::new(options, keys, Arc::clone(&self.clock));
        Ok(Arc::new(validator.map_err(|error| unfit(&error))?))
    }

    fn introspection(&self) -> Result<Arc<dyn ValidateTokens>, Failure> {
        let tokens = &self.config.tokens;
        let (Some(url), Some(client_id)) = (&tokens.introspection_url, &tokens.client_id) else {
            unreachable!("reading refused a validation that lacks what it needs");
        };
        let client_id = client_id.to_string();
        let credentials = match &tokens.client_secret {
            Some(text) => Credentials::ClientSecretBasic {
                client_id,
                client_secret: secret(text)?,
            },
            None => Credentials::MutualTls { client_id },
        };
        let options = introspection::Options {
            issuer: tokens.issuer.as_ref().map(ToString::to_string),
            audiences: tokens.audiences.clone(),
            leeway: tokens.leeway,
            remember: tokens.cache_ttl,
            ..introspection::Options::new(url.to_string(), credentials)
        };
        let client = self.client(&Peers::AuthorisationServer, introspection::limits())?;
        let clock = Arc::clone(&self.clock);
        let validator = introspection::Validator::new(&options, client, clock, self.tasks.clone());
        Ok(Arc::new(validator.map_err(|error| unfit(&error))?))
    }

    fn remote_keys(&self, client: Arc<Client>) -> Arc<RemoteKeys> {
        let options = remote_keys::Options::default();
        let clock = Arc::clone(&self.clock);
        Arc::new(RemoteKeys::new(client, clock, self.tasks.clone(), options))
    }

    /// Where what TPPs name may lead (D-12).
    pub(super) fn tpp_addresses(&self) -> Policy {
        Policy {
            allowed: self.config.outbound.allowed_networks.clone(),
        }
    }

    /// The way out, if there is only one.
    pub(super) fn proxy(&self) -> Option<Proxy> {
        self.proxy.clone()
    }

    /// The operator's own collector.
    pub(super) fn collector(&self) -> Result<Arc<Client>, Failure> {
        self.client(&Peers::Collector, Limits::default())
    }

    fn client(&self, peers: &Peers, limits: Limits) -> Result<Arc<Client>, Failure> {
        let telemetry = &self.config.telemetry;
        let (mut own_anchors, mut proxy) = (None, self.proxy.clone());
        let (identity, addresses, plain_http) = match peers {
            Peers::AuthorisationServer => {
                let tokens = &self.config.tokens;
                let identity = identity(tokens.certificate.as_deref(), tokens.key.as_deref())?;
                (identity, anywhere(), PlainHttp::OnLoopback)
            }
            Peers::Collector => {
                if let Some(path) = &telemetry.otlp_trust_anchors {
                    own_anchors = Some(anchors(Some(path))?);
                }
                proxy = proxy.filter(|_| telemetry.otlp_through_proxy);
                (None, anywhere(), PlainHttp::OnLoopback)
            }
            Peers::Tpps => {
                let addresses = self.tpp_addresses();
                let here = judge(IpAddr::V4(Ipv4Addr::LOCALHOST), &addresses).may_be_dialled();
                let plain_http = if here {
                    PlainHttp::OnLoopback
                } else {
                    PlainHttp::Refused
                };
                (None, addresses, plain_http)
            }
        };
        let believed = own_anchors.as_ref().unwrap_or(&self.anchors);
        let tls = Tls::new(believed, identity, Arc::new(DefaultTimeProvider));
        let setup = Setup {
            tls: tls.map_err(|error| no_tls(&error))?,
            addresses,
            plain_http,
            proxy,
            limits: Limits {
                connect: self.config.outbound.connect_timeout,
                total: self.config.outbound.total_timeout,
                ..limits
            },
        };
        let resolver = Arc::new(SystemResolver);
        Ok(Arc::new(Client::new(setup, resolver, self.tasks.clone())))
    }
}

/// Who is believed: those of a file, or of the system.
pub(super) fn anchors(path: Option<&Path>) -> Result<Anchors, Failure> {
    let anchors = match path {
        Some(path) => Anchors::from_pem(&bytes(path)?),
        None => Anchors::from_system(),
    };
    anchors.map_err(|error| {
        let mend = "set [outbound] trust_anchors to a file of certificates in PEM";
        Failure::environment("nobody could be believed outside", mend).because(&error)
    })
}

/// Who we are to the other side, if it is to know.
pub(super) fn identity(
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<Option<Identity>, Failure> {
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return Ok(None);
    };
    let identity = Identity::from_pem(&bytes(certificate)?, &secret_bytes(key)?);
    identity.map(Some).map_err(|error| no_tls(&error))
}

fn proxy(config: &Config) -> Result<Option<Proxy>, Failure> {
    let outbound = &config.outbound;
    let Some(url) = &outbound.proxy else {
        return Ok(None);
    };
    let authorization = outbound.proxy_authorization.as_ref().map(|text| {
        let mut value = HeaderValue::from_str(&secret(text)?).map_err(|_| {
            let what = "what [outbound] proxy_authorization says cannot stand in a header";
            Failure::environment(what, "write one line, such as: Basic …")
        })?;
        value.set_sensitive(true);
        Ok::<_, Failure>(value)
    });
    let (host, port) = url.host_and_port();
    Ok(Some(Proxy {
        host,
        port,
        authorization: authorization.transpose()?,
        resolution: outbound.proxy_resolution,
    }))
}

/// The bank's own word needs no judging.
fn anywhere() -> Policy {
    let all = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("this is a network"));
    Policy {
        allowed: all.to_vec(),
    }
}

fn no_tls(error: &TlsError) -> Failure {
    let mend = "oyez check says more";
    Failure::environment("cannot call the authorisation server in TLS", mend).because(error)
}

fn unfit(error: &BadOptions) -> Failure {
    let what = "access tokens cannot be checked as [tokens] says";
    Failure::environment(what, "correct the section").because(error)
}
