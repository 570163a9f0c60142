//! The trait's methods as a list, for whoever stands before every ledger and does the same at each: it counts, or fails on
//! command. A method that is missing here is missing there, and does not compile.

/// Calls a macro with all methods but `listen`, as `name(argument: Type, …) -> Answer;`. The types are those that the trait
/// names, and are to be in scope.
#[macro_export]
macro_rules! methods {
    ($then:ident) => {
        $then! {
            register_tpp(actor: Actor, client_id: ClientId, profile: Profile, now: Timestamp) -> Option<Tpp>;
            change_tpp(actor: Actor, client_id: ClientId, profile: Profile, now: Timestamp) -> Option<Tpp>;
            set_standing(actor: Actor, client_id: ClientId, standing: Standing, now: Timestamp) -> Option<Tpp>;
            find_tpp(client_id: ClientId) -> Option<Tpp>;
            list_tpps(after: Option<ClientId>, rows_max: u32) -> Page<Tpp, ClientId>;
            registrations(client_id: ClientId) -> Registrations;
            create_registration(client_id: ClientId, id: RegistrationId, wish: Wish, api: ApiVersion, now: Timestamp) -> Result<Registrations, Refusal>;
            replace_registration(client_id: ClientId, target: Target, wish: Wish, now: Timestamp) -> Result<(Registrations, Effect), Refusal>;
            delete_registration(client_id: ClientId, target: Target, now: Timestamp) -> Result<Effect, Refusal>;
            remove_registration(actor: Actor, client_id: ClientId, kind: Kind, now: Timestamp) -> Result<Effect, Refusal>;
            accept(batch: Vec<Submission>, now: Timestamp) -> Vec<Acceptance>;
            poll(poll: Poll, now: Timestamp) -> Polled;
            due_for_push(claim: Claim, client_id: ClientId, look: Look, now: Timestamp) -> Option<DueForPush>;
            keep_sets(signed: Vec<Signed>, now: Timestamp) -> Vec<Kept>;
            recheck(claim: Option<Claim>, client_id: ClientId, jtis: Vec<Jti>) -> Option<Vec<Kept>>;
            record_attempts(client_id: ClientId, attempts: Vec<Ended>, now: Timestamp) -> Vec<Recorded>;
            put_back(client_id: ClientId, choices: Vec<Choice>, now: Timestamp) -> u64;
            withdraw(actor: Actor, client_id: ClientId, jtis: Vec<Jti>, now: Timestamp) -> u64;
            retry_pushes(actor: Actor, client_id: ClientId, jtis: Vec<Jti>, now: Timestamp) -> u64;
            requeue_failed(actor: Actor, client_id: ClientId, accepted: Range<Timestamp>, events_max: u32, now: Timestamp) -> Vec<Jti>;
            disown_key(actor: Actor, kid: String, now: Timestamp) -> u64;
            keys_in_use() -> Vec<KeyUse>;
            hold_lease(node_id: NodeId, renew: Option<u64>, ttl: Duration) -> Option<Lease>;
            attend(node_id: NodeId, ttl: Duration) -> NonZeroU32;
            release_lease(lease: Lease) -> ();
            claim_lanes(lease: Lease, wanted: Wanted, lanes_max: u32, now: Timestamp) -> Vec<Lane>;
            report_lanes(lease: Lease, reports: Vec<LaneReport>, now: Timestamp) -> Vec<Reported>;
            find_lane(client_id: ClientId) -> Option<Lane>;
            list_lanes(filter: LaneFilter, after: Option<ClientId>, rows_max: u32) -> Page<LaneStatus, ClientId>;
            lane_totals() -> LaneTotals;
            pause_endpoint(actor: Actor, client_id: ClientId, now: Timestamp) -> bool;
            resume_endpoint(actor: Actor, client_id: ClientId, now: Timestamp) -> bool;
            find_event(jti: Jti) -> Option<EventFile>;
            list_events(filter: EventFilter, before: Option<Jti>, rows_max: u32) -> Page<EventSummary, Jti>;
            counts(client_id: ClientId) -> Counts;
            minutes(client_id: Option<ClientId>, range: Range<Timestamp>) -> Vec<Minute>;
            note_requests(requests: Vec<Request>) -> ();
            list_requests(client_id: ClientId, rows_max: u32) -> Vec<Request>;
            health_history(client_id: ClientId, rows_max: u32) -> Vec<HealthChange>;
            backlog(client_id: ClientId, now: Timestamp) -> Backlog;
            list_audit(client_id: Option<ClientId>, before: Option<u64>, rows_max: u32) -> Page<AuditEntry, u64>;
            read_chain(client_id: Option<ClientId>, after: u64, rows_max: u32) -> Page<AuditEntry, u64>;
            chain_heads(after: Option<ClientId>, rows_max: u32) -> Heads;
            prove_writable() -> ();
            shared_clock() -> Option<Timestamp>;
            expire(accepted_before: Timestamp, events_max: u32, now: Timestamp) -> u64;
            sweep(retention: Retention, now: Timestamp) -> Swept;
        }
    };
}
