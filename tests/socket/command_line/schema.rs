//! Whether an output is as the documented schema says, and has nothing that the schema does not tell of.

use serde_json::Value;

/// The schema as the docs have it.
pub fn documented() -> Value {
    serde_json::from_str(include_str!("../../../src/docs/command_line.schema.json")).unwrap()
}

/// Panics unless the value is what `$defs` has under this name.
#[track_caller]
pub fn assert_documented(name: &str, value: &Value) {
    let schema = documented();
    let of = &schema["$defs"][name];
    assert!(of.is_object(), "the schema has no entry {name}");
    if let Err(why) = check(&schema, of, value, name) {
        panic!("{why}\n{value:#}");
    }
}

fn check(all: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(to) = schema["$ref"].as_str() {
        let name = to.strip_prefix("#/$defs/").unwrap();
        return check(all, &all["$defs"][name], value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices
            .iter()
            .filter(|one| check(all, one, value, at).is_ok());
        return match fits.count() {
            1 => Ok(()),
            fits => Err(format!("{at}: {fits} of the choices fit")),
        };
    }
    if let Some(values) = schema["enum"].as_array() {
        return match values.contains(value) {
            true => Ok(()),
            false => Err(format!("{at}: {value} is none of {values:?}")),
        };
    }
    check_type(&schema["type"], value, at)?;
    for (no, item) in value.as_array().into_iter().flatten().enumerate() {
        check(all, &schema["items"], item, &format!("{at}[{no}]"))?;
    }
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    for needed in schema["required"].as_array().into_iter().flatten() {
        let needed = needed.as_str().unwrap();
        if !object.contains_key(needed) {
            return Err(format!("{at}: {needed} is missing"));
        }
    }
    for (name, member) in object {
        let of = match &schema["properties"][name] {
            Value::Null => &schema["additionalProperties"],
            of => of,
        };
        if !of.is_object() {
            return Err(format!("{at}: {name} is not documented"));
        }
        check(all, of, member, &format!("{at}.{name}"))?;
    }
    Ok(())
}

fn check_type(types: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = match types {
        Value::String(one) => one == is,
        Value::Array(some) => some.iter().any(|one| one == is),
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{at}: it is of type {is}, and not {types}")),
    }
}

#[test]
fn what_is_not_documented_is_found() {
    let good = serde_json::json!({ "resumed": "an id" });
    assert_documented("resume", &good);
    let schema = documented();
    for bad in [
        serde_json::json!({}),
        serde_json::json!({ "resumed": 1 }),
        serde_json::json!({ "resumed": "an id", "more": true }),
        serde_json::json!(["resumed"]),
    ] {
        assert!(check(&schema, &schema["$defs"]["resume"], &bad, "").is_err());
    }
}

#[test]
fn every_reference_of_the_schema_leads_somewhere() {
    fn walk(all: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(to) = members.get("$ref").and_then(Value::as_str) {
                    let name = to.strip_prefix("#/$defs/").unwrap();
                    assert!(all["$defs"][name].is_object(), "{to}");
                }
                members.values().for_each(|member| walk(all, member));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(all, item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let schema = documented();
    walk(&schema, &schema);
}
