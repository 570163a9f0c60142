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
        /// `iss` of every SET: a URI that TPPs know the bank by (T-01).
        issuer: Uri = required("\"https://bank.example\"", parsed("an absolute URI"));
        /// The bank's id in the directory: `http://openbanking.org.uk/iss` of its signatures, and x-fapi-financial-id of
        /// its pushes (M-04, D-01).
        org_id: HeaderText = required("\"0015800001041REAAY\"", parsed("1 to 128 printable ASCII characters"));
        /// What stands before /open-banking/… in every link: Links.Self, `sub`, `rlk` (G-01).
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
        /// The versions that stand in paths and are answered.
        served: Vec<ApiVersion> = default(vec![ApiVersion::V3_1, ApiVersion::V4_0],
            List(parsed("a path version such as \"v4.0\"")));
        /// The versions that once were: answered 503.
        retired: Vec<ApiVersion> = default(vec![], List(parsed("a path version such as \"v3.1\"")));
        /// Which resources' events a TPP's Version covers: those created in that version ("exact", the text of v4.0) or
        /// from it up ("minimum", the text of v4.0.1) (S-06).
        coverage: Coverage = default(Coverage::Minimum,
            Choice(&[("minimum", Coverage::Minimum), ("exact", Coverage::Exact)]));
    }
}

section! {
    /// What can be switched off; a switched-off path answers 404, or 405 when another method of it is on (G-13).
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
    /// Headers that mean nothing here (G-03).
    Headers = "headers" {
        /// What becomes of malformed ones (x-fapi-auth-date, x-fapi-customer-ip-address and the like): "ignored", or "refused"
        /// with 400.
        malformed: PsuHeaders = default(PsuHeaders::Ignored,
            Choice(&[("ignored", PsuHeaders::Ignored), ("refused", PsuHeaders::Checked)]));
    }
}

section! {
    /// What x-jws-signature of a TPP's request must be (M-01, M-02).
    Signatures = "signatures" {
        /// "required" as the standard says. "if-present" and "off" are not conformant; the developer page says so.
        policy: SignaturePolicy = default(SignaturePolicy::Required, Choice(&[
            ("required", SignaturePolicy::Required),
            ("if-present", SignaturePolicy::IfPresent),
            ("off", SignaturePolicy::Off),
        ]));
        /// The values of `http://openbanking.org.uk/tan` that a TPP's signature may name.
        trust_anchors: Vec<HostName> = default(vec![HostName::open_banking()], List(parsed("a domain name")));
        /// What becomes of members of its header that the standard does not name and that are not critical: "refused" as the
        /// standard says, or "ignored" (M-02).
        unknown_members: UnknownMembers = default(UnknownMembers::Refuse, Choice(&[
            ("refused", UnknownMembers::Refuse),
            ("ignored", UnknownMembers::Ignore),
        ]));
    }
}
