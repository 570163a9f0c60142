//! The bodies of the TPP API, with the lengths of their version's row. Where the standard closes an object, it is closed here.

use oyez_domain::fault::Code;
use oyez_domain::versions::Row;
use serde_json::{Map, Value, json};

/// All schemas that the operations of a version refer to.
pub(super) fn of(row: &Row) -> Value {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| all.insert(name.to_owned(), schema);
    add("OBEventSubscription1", event_subscription(row));
    add(
        "OBEventSubscriptionResponse1",
        response(data_of_subscription(row)),
    );
    add(
        "OBEventSubscriptionReplacement",
        replacement(data_of_subscription_to_replace(row)),
    );
    add(
        "OBEventSubscriptionsResponse1",
        list("EventSubscription", &data_of_subscription(row)),
    );
    add("OBCallbackUrl1", request(data_of_callback_url(row, None)));
    add(
        "OBCallbackUrlResponse1",
        response(data_of_callback_url(
            row,
            Some(&["CallbackUrlId", "Url", "Version"]),
        )),
    );
    add(
        "OBCallbackUrlReplacement",
        replacement(data_of_callback_url(row, Some(&["Url", "Version"]))),
    );
    add(
        "OBCallbackUrlsResponse1",
        list(
            "CallbackUrl",
            &data_of_callback_url(row, Some(&["CallbackUrlId", "Url", "Version"])),
        ),
    );
    add("OBEventPolling1", polling(row));
    add("OBEventPollingResponse1", polled());
    add("OBErrorResponse1", errors(row));
    add("Links", links());
    add("Meta", meta());
    Value::Object(all)
}

/// A reference to one of them.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn event_subscription(row: &Row) -> Value {
    let mut data = data_of_subscription_to_replace(row);
    remove_property(&mut data, "EventSubscriptionId");
    request(data)
}

fn data_of_subscription_to_replace(row: &Row) -> Value {
    let mut data = data_of_subscription(row);
    data["required"] = json!(["Version"]);
    data
}

fn data_of_subscription(row: &Row) -> Value {
    json!({
        "type": "object",
        "required": ["EventSubscriptionId", "Version"],
        "properties": {
            "EventSubscriptionId": id(row),
            "CallbackUrl": callback_url(row),
            "Version": version(row),
            "EventTypes": {
                "type": "array",
                "maxItems": row.lengths.event_types,
                "items": { "type": "string" },
                "description": "Codes or URNs of event types. Absent or empty: all that the Version knows.",
            },
        },
    })
}

/// Without `required`: what a POST sends, which is never given an id.
fn data_of_callback_url(row: &Row, required: Option<&[&str]>) -> Value {
    let mut data = json!({
        "type": "object",
        "required": required.unwrap_or(&["Url", "Version"]),
        "properties": {
            "CallbackUrlId": id(row),
            "Url": callback_url(row),
            "Version": version(row),
        },
        "additionalProperties": false,
    });
    if required.is_none() {
        remove_property(&mut data, "CallbackUrlId");
    }
    data
}

fn remove_property(schema: &mut Value, name: &str) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.remove(name);
    }
}

fn request(data: Value) -> Value {
    closed(&["Data"], json!({ "Data": data }))
}

fn response(data: Value) -> Value {
    closed(&["Data", "Links", "Meta"], with_frame(data))
}

/// What a PUT may send: the request, or the whole response sent back (G-11).
fn replacement(data: Value) -> Value {
    closed(&["Data"], with_frame(data))
}

fn list(member: &str, entry: &Value) -> Value {
    let one = json!({ "type": "array", "maxItems": 1, "items": entry });
    response(closed(&[member], json!({ member: one })))
}

fn with_frame(data: Value) -> Value {
    json!({ "Data": data, "Links": reference("Links"), "Meta": reference("Meta") })
}

fn closed(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn id(row: &Row) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": row.lengths.registration_id })
}

fn version(row: &Row) -> Value {
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": row.lengths.version,
        "description": "The version of event notifications that the TPP understands.",
    })
}

fn callback_url(row: &Row) -> Value {
    json!({
        "type": "string",
        "format": "uri",
        "maxLength": row.lengths.callback_url,
        "description": "Where events are pushed to: https, ending in the version and event-notifications.",
    })
}

fn polling(row: &Row) -> Value {
    let lengths = row.lengths;
    let error = json!({
        "type": "object",
        "required": ["err"],
        "properties": {
            "err": { "type": "string", "minLength": 1, "maxLength": lengths.error_name },
            "description": { "type": "string", "maxLength": lengths.error_description },
        },
    });
    let properties = json!({
        "maxEvents": {
            "type": "integer",
            "minimum": 0,
            "description": "At most so many events; 0 acknowledges only.",
        },
        "returnImmediately": {
            "type": "boolean",
            "description": "false asks for a long poll.",
        },
        "ack": {
            "type": "array",
            "maxItems": lengths.acknowledgements,
            "items": { "type": "string", "minLength": 1, "maxLength": lengths.claim },
            "description": "The jtis of events that the TPP has.",
        },
        "setErrs": {
            "type": "object",
            "maxProperties": lengths.acknowledgements,
            "propertyNames": { "minLength": 1, "maxLength": lengths.claim },
            "additionalProperties": error,
            "description": "Events that the TPP could not take, by jti.",
        },
    });
    closed(&[], properties)
}

fn polled() -> Value {
    closed(
        &["moreAvailable", "sets"],
        json!({
            "moreAvailable": { "type": "boolean" },
            "sets": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "description": "Compact JWS by jti.",
            },
        }),
    )
}

fn errors(row: &Row) -> Value {
    let text = |max: usize| json!({ "type": "string", "minLength": 1, "maxLength": max });
    let codes: Vec<&str> = Code::ALL
        .into_iter()
        .filter_map(|code| row.errors.text(code))
        .collect();
    let error = closed(
        &["ErrorCode", "Message"],
        json!({
            "ErrorCode": { "type": "string", "enum": codes },
            "Message": text(row.lengths.error_text),
            "Path": text(row.lengths.error_text),
            "Url": { "type": "string" },
        }),
    );
    closed(
        &["Code", "Id", "Message", "Errors"],
        json!({
            "Id": text(row.lengths.error_id),
            "Code": text(row.lengths.error_id),
            "Message": text(row.lengths.error_text),
            "Errors": { "type": "array", "minItems": 1, "items": error },
        }),
    )
}

fn links() -> Value {
    let uri = || json!({ "type": "string", "format": "uri" });
    closed(
        &["Self"],
        json!({ "Self": uri(), "First": uri(), "Prev": uri(), "Next": uri(), "Last": uri() }),
    )
}

fn meta() -> Value {
    let moment = || json!({ "type": "string", "format": "date-time" });
    closed(
        &[],
        json!({
            "TotalPages": { "type": "integer" },
            "FirstAvailableDateTime": moment(),
            "LastAvailableDateTime": moment(),
        }),
    )
}
