//! Who the bank is, which versions it serves, and what it asks of signed requests.

use oyez_domain::base_url::BaseUrl;
use oyez_domain::version::ApiVersion;
use oyez_domain::versions::Coverage;

use oyez_jose::detached::UnknownMembers;
use oyez_web::tpp::{PsuHeaders, SignaturePolicy};

use super::form::{Choice, Flag, parsed};
use super::list::List;
use super::section::{default, required, section};
use super::text::{HeaderText, HostName, Uri};

section! {
    /// Who the bank is, in every token that it signs.
    Bank = "bank" {
        /// `iss` of every SET (security event token): a URI that TPPs know the bank by (T-01).
        issuer: Uri = required("\"https://bank.example\"", parsed("an absolute URI"));
        /// The bank's id in the Open Banking directory. It stands in `http://openbanking.org.uk/iss` of the bank's
        /// signatures and in x-fapi-financial-id of its pushes (M-04, D-01).
        org_id: HeaderText = required("\"0015800001041REAAY\"", parsed("1 to 128 printable ASCII characters"));
        /// The public address of the bank's API: what stands before /open-banking/… in every link (Links.Self, `sub`,
        /// `rlk`) (G-01).
        base_url: BaseUrl = required("\"https://api.bank.example\"",
            parsed("an http or https URL without user, query and fragment"));
        /// `http://openbanking.org.uk/tan` of the bank's signatures: the domain name of the trust anchor that hosts its
        /// keys (M-04).
        trust_anchor: HostName = default(HostName::open_banking(), parsed("a domain name"));
    }
}

section! {
    /// Which versions of the standard are served (G-01).
    Versions = "versions" {
        /// The versions that are served, as they stand in paths.
        served: Vec<ApiVersion> = default(vec![ApiVersion::V3_1, ApiVersion::V4_0],
            List(parsed("a path version such as \"v4.0\"")));
        /// Versions that were served once: their paths are answered with 503.
        retired: Vec<ApiVersion> = default(vec![], List(parsed("a path version such as \"v3.1\"")));
        /// Which resources' events the Version of a subscription covers: those of resources made in that version or later
        /// ("minimum", the text of v4.0.1), or in that version alone ("exact", the text of v4.0) (S-06).
        coverage: Coverage = default(Coverage::Minimum,
            Choice(&[("minimum", Coverage::Minimum), ("exact", Coverage::Exact)]));
    }
}

section! {
    /// Parts of the API that can be switched off. A path that is off answers 404, or 405 when another method of it is on
    /// (G-13).
    Features = "features" {
        /// /event-subscriptions.
        event_subscriptions: bool = default(true, Flag);
        /// /callback-urls.
        callback_urls: bool = default(true, Flag);
        /// POST /events: aggregated polling.
        polling: bool = default(true, Flag);
        /// PUT of event-subscriptions and callback-urls.
        put: bool = default(true, Flag);
        /// DELETE of event-subscriptions and callback-urls.
        delete: bool = default(true, Flag);
        /// POST to the TPP's CallbackUrl: real-time notification. Off, a CallbackUrl is refused.
        push: bool = default(true, Flag);
    }
}

section! {
    /// Request headers of the standard that oyez does not act on (G-03).
    Headers = "headers" {
        /// What follows when one of them (x-fapi-auth-date, x-fapi-customer-ip-address and the like) is malformed: it is
        /// "ignored", or the request is "refused" with 400.
        malformed: PsuHeaders = default(PsuHeaders::Ignored,
            Choice(&[("ignored", PsuHeaders::Ignored), ("refused", PsuHeaders::Checked)]));
    }
}

section! {
    /// The x-jws-signature of TPPs' requests (M-01, M-02).
    Signatures = "signatures" {
        /// "required": POST and PUT of registrations must be signed, as the standard says. "if-present" checks the
        /// signatures that are there, and "off" none; neither conforms to the standard.
        policy: SignaturePolicy = default(SignaturePolicy::Required, Choice(&[
            ("required", SignaturePolicy::Required),
            ("if-present", SignaturePolicy::IfPresent),
            ("off", SignaturePolicy::Off),
        ]));
        /// The values of `http://openbanking.org.uk/tan` that a TPP's signature may name.
        trust_anchors: Vec<HostName> = default(vec![HostName::open_banking()], List(parsed("a domain name")));
        /// What follows when a signature's header has members that the standard does not name and that are not critical:
        /// the request is "refused" as the standard says, or they are "ignored" (M-02).
        unknown_members: UnknownMembers = default(UnknownMembers::Refuse, Choice(&[
            ("refused", UnknownMembers::Refuse),
            ("ignored", UnknownMembers::Ignore),
        ]));
    }
}
