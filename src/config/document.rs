//! A JSON or TOML document as a tree that knows its lines and keeps what is written twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::fragment::line_of;

/// A value of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Integer(i64),
    /// A number that is no integer, as text.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Member>),
}

/// A named value of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) value: Node,
}

impl Node {
    /// The value as a person wrote it, for messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Node::Null => "null".to_owned(),
            Node::Bool(yes) => yes.to_string(),
            Node::Integer(number) => number.to_string(),
            Node::Number(text) => text.clone(),
            Node::Text(text) => format!("{:?}", text.chars().take(80).collect::<String>()),
            Node::List(_) => "a list".to_owned(),
            Node::Table(_) => "a table".to_owned(),
        }
    }
}

/// Reads a JSON document.
pub(super) fn of_json(name: &str, text: &str) -> Result<Node, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut node: Node = serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        Problem::new(
            format!("{name}:{}", error.line()),
            format!("is not JSON: {said} (column {})", error.column()),
        )
    })?;
    Lines { text, at: 0, line: 1 }.number(&mut node);
    Ok(node)
}

/// Reads a TOML document.
pub(super) fn of_toml(name: &str, text: &str) -> Result<Node, Problem> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let said = error.message().trim().replace('\n', ", ");
        Problem::new(format!("{name}:{line}"), format!("is not TOML: {said}"))
    })?;
    Ok(toml_table(text, table.get_ref()))
}

fn toml_table(text: &str, table: &DeTable<'_>) -> Node {
    let members = table.iter().map(|(name, value)| Member {
        name: name.get_ref().to_string(),
        line: line_of(text, name.span().start),
        value: toml_value(text, value.get_ref()),
    });
    Node::Table(members.collect())
}

fn toml_value(text: &str, value: &DeValue<'_>) -> Node {
    match value {
        DeValue::String(string) => Node::Text(string.to_string()),
        DeValue::Boolean(yes) => Node::Bool(*yes),
        DeValue::Integer(number) => match number.to_string().replace('_', "").parse() {
            Ok(number) => Node::Integer(number),
            Err(_) => Node::Number(number.to_string()),
        },
        DeValue::Float(number) => Node::Number(number.to_string()),
        // A date without quotes means the same as one with.
        DeValue::Datetime(when) => Node::Text(when.to_string()),
        DeValue::Array(items) => {
            Node::List(items.iter().map(|item| toml_value(text, item.get_ref())).collect())
        }
        DeValue::Table(table) => toml_table(text, table),
    }
}

/// Finds the lines of names, which are met in the order of the text.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn number(&mut self, node: &mut Node) {
        match node {
            Node::Table(members) => {
                for member in members {
                    self.advance(&member.name);
                    member.line = self.line;
                    self.number(&mut member.value);
                }
            }
            Node::List(items) => items.iter_mut().for_each(|item| self.number(item)),
            _ => {}
        }
    }

    /// Goes on to the next `"name":`. A name written with unusual escapes is not found and counts
    /// as being where the last one was.
    fn advance(&mut self, name: &str) {
        let quoted = serde_json::Value::from(name).to_string();
        let mut from = self.at;
        while let Some(rest) = self.text.get(from..)
            && let Some(found) = rest.find(&quoted)
        {
            let end = from + found + quoted.len();
            let after = self.text.get(end..).unwrap_or_default();
            if after.trim_start().starts_with(':') {
                let passed = self.text.get(self.at..end).unwrap_or_default();
                self.line += passed.matches('\n').count();
                self.at = end;
                return;
            }
            from = end;
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Node, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Node, E> {
        Ok(Node::Bool(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(i64::try_from(number).map_or_else(|_| Node::Number(number.to_string()), Node::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Number(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = from.next_entry()? {
            members.push(Member { name, line: 0, value });
        }
        Ok(Node::Table(members))
    }
}
