//! `vortex completion`: the completion script of a shell, and the words it offers for values.

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, CommandFactory};

use super::args::{Cli, CompletionArgs};
use super::error::{Exit, Outcome};
use super::output;
use crate::config::keys::PROVIDERS;
use crate::continuous;
use crate::model::{Class, Period};

/// Prints the script.
pub(super) fn run(args: &CompletionArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vortex", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// The parser of a value, with words that a shell offers for it. What is allowed, and what is said
/// of anything else, stays the parser's own.
#[derive(Clone)]
pub(super) struct Offering<P> {
    parser: P,
    words: Vec<&'static str>,
}

impl<P: TypedValueParser> TypedValueParser for Offering<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, clap::Error> {
        self.parser.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().map(PossibleValue::new)))
    }
}

/// The name of any provider.
pub(super) fn provider() -> Offering<StringValueParser> {
    Offering { parser: StringValueParser::new(), words: PROVIDERS.to_vec() }
}

/// The name of a provider, or the one under which continuous series are archived.
pub(super) fn archived() -> Offering<StringValueParser> {
    Offering { parser: StringValueParser::new(), words: [PROVIDERS, &[continuous::PROVIDER]].concat() }
}

/// A class of instruments.
pub(super) fn class() -> Offering<impl TypedValueParser<Value = Class>> {
    let words = Class::ALL.map(Class::name).to_vec();
    Offering { parser: |text: &str| text.parse::<Class>(), words }
}

/// The name of a provider that this version asks.
pub(super) fn served() -> Offering<StringValueParser> {
    Offering { parser: StringValueParser::new(), words: PROVIDERS.to_vec() }
}

/// The name of a provider, or `all`.
pub(super) fn provider_or_all() -> Offering<StringValueParser> {
    Offering { parser: StringValueParser::new(), words: [PROVIDERS, &["all"]].concat() }
}

/// The name of a provider with credentials of its own.
pub(super) fn with_credentials() -> Offering<StringValueParser> {
    Offering { parser: StringValueParser::new(), words: vec!["barchart"] }
}

/// A bar period.
pub(super) fn period() -> Offering<impl TypedValueParser<Value = Period>> {
    let words = Period::ALL.map(Period::name).to_vec();
    Offering { parser: |text: &str| text.parse::<Period>(), words }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words offered for an option, given by the names of its commands and its own.
    fn offered(path: &[&str], id: &str) -> Vec<String> {
        let mut command = Cli::command();
        for name in path {
            command = command.find_subcommand(name).unwrap().clone();
        }
        let arg = command.get_arguments().find(|arg| arg.get_id() == id).unwrap();
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
    }

    #[test]
    fn providers_and_periods_are_offered() {
        assert_eq!(offered(&["download"], "provider"), PROVIDERS);
        assert_eq!(offered(&["providers"], "info"), PROVIDERS);
        assert!(offered(&["providers"], "test").contains(&"all".to_owned()));
        assert_eq!(offered(&["config"], "provider"), ["barchart"]);
        let archived = [PROVIDERS, &["vortex"]].concat();
        assert_eq!(offered(&["validate"], "provider"), archived);
        assert_eq!(offered(&["continuous"], "provider"), PROVIDERS);
        assert_eq!(offered(&["resilience", "reset"], "provider"), PROVIDERS);
        assert_eq!(offered(&["download"], "periods").len(), Period::ALL.len());
        for command in ["list", "show", "rebuild", "revert"] {
            assert_eq!(offered(&["archive", command], "provider"), archived, "{command}");
            assert_eq!(offered(&["archive", command], "period").len(), Period::ALL.len(), "{command}");
        }
    }
}
