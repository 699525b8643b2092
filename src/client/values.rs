//! Properties as they come over the bus, and as they are told.

use std::collections::HashMap;

use serde_json::{Map, Value};
use zbus::{OwnedVariant, Variant};

/// One object of the service with its properties.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) path: String,
    pub(super) interface: String,
    pub(super) properties: HashMap<String, OwnedVariant>,
}

impl Object {
    pub(super) fn new(path: String, interface: String, properties: HashMap<String, OwnedVariant>) -> Object {
        Object { path, interface, properties }
    }

    /// A text; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.properties.get(name).map(|value| &**value) {
            Some(Variant::Str(text)) => text.as_str(),
            _ => "",
        }
    }

    /// A number; 0 where there is none.
    pub(super) fn number(&self, name: &str) -> u64 {
        match self.properties.get(name).map(|value| &**value) {
            Some(Variant::U64(number)) => *number,
            Some(Variant::U32(number)) => (*number).into(),
            _ => 0,
        }
    }

    /// All properties, for programs.
    pub(super) fn json(&self) -> Value {
        object(self.properties.iter().map(|(name, value)| (name.as_str(), &**value)))
    }
}

/// Names and values as a JSON object; keys are sorted, in `snake_case`.
pub(super) fn object<'a>(values: impl Iterator<Item = (&'a str, &'a Variant<'a>)>) -> Value {
    let values: Map<String, Value> = values.map(|(name, value)| (snake(name), json(value))).collect();
    Value::Object(values)
}

/// A value as JSON.
pub(super) fn json(value: &Variant<'_>) -> Value {
    match value {
        Variant::Bool(flag) => Value::from(*flag),
        Variant::U32(number) => Value::from(*number),
        Variant::U64(number) => Value::from(*number),
        Variant::Str(text) => Value::from(text.as_str()),
        other => Value::from(other.to_string()),
    }
}

/// `LastFinishedUSec` as `last_finished_usec`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    let name = name.replace("USec", "_usec");
    for (at, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_those_of_json() {
        assert_eq!(snake("LastFinishedUSec"), "last_finished_usec");
        assert_eq!(snake("State"), "state");
        assert_eq!(snake("provider"), "provider");
    }
}
