//! `vortex wizard`: asks what a first configuration needs, and writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use dialoguer::{Confirm, Input, Select};
use toml_edit::Value;

use super::args::Global;
use super::config::tell_kept;
use super::error::{Error, Exit, Outcome};
use super::output;
use super::prompt::interruptible;
use crate::config::{Config, Overrides, Sources, assets, store};
use crate::model::{Instrument, symbol};
use crate::provider::{barchart, ibkr, sample, yahoo};

/// The providers that can be chosen.
const CHOICES: [(&str, &str); 4] = [
    (yahoo::NAME, "yahoo: stocks, indices, funds, crypto, forex, continuous futures; no account needed"),
    (
        barchart::NAME,
        "barchart: dated futures, stocks, indices, forex; with your account, within its daily allowance",
    ),
    (ibkr::NAME, "ibkr: Interactive Brokers, dated futures, stocks, forex; with TWS or its gateway running"),
    (sample::NAME, "sample: a generated market, no network"),
];

/// Runs the command. Nothing is written before the last answer.
pub(super) fn run(global: &Global) -> Outcome {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::usage(
            "`vortex wizard` asks questions and needs a terminal; without one, write the file yourself: `vortex config --example` prints every key",
        ));
    }
    let wizard = Wizard::new(global)?;
    output::line(format_args!("This writes {}.", wizard.file.display()))?;
    match interruptible(|| wizard.ask())? {
        Some(answers) if !global.dry_run => wizard.write(&answers),
        _ => {
            output::line("Nothing was written.")?;
            Ok(Exit::Done)
        }
    }
}

/// What the questions start from.
struct Wizard<'a> {
    global: &'a Global,
    sources: Sources,
    /// The file to write.
    file: PathBuf,
    /// What is in force.
    config: Config,
}

/// What was answered.
struct Answers {
    values: Vec<(&'static str, Value)>,
    /// The first list, as the text of `assets.json`; `None` where there is none to write.
    list: Option<String>,
    /// What to run next.
    next: String,
}

impl Wizard<'_> {
    fn new(global: &Global) -> Result<Wizard<'_>, Error> {
        let sources = Sources::of_process(global.config.clone())?;
        let file = sources.user_file();
        // A file that --config names need not be there yet.
        let there =
            Sources { config_file: sources.config_file.clone().filter(|_| file.exists()), ..sources.clone() };
        let config = Config::load(&there, &Overrides::default())?.config;
        Ok(Wizard { global, sources: there, file, config })
    }

    /// The answers; `None` where the person does not want them written.
    fn ask(&self) -> dialoguer::Result<Option<Answers>> {
        let archive =
            self.text("general.output_directory", "Folder of the archive", self.config.archive.display())?;
        let names = CHOICES.map(|(_, words)| words);
        let in_force = CHOICES.iter().position(|(name, _)| *name == self.config.default_provider);
        let at =
            Select::new().with_prompt("Provider").items(names).default(in_force.unwrap_or(0)).interact()?;
        let provider = CHOICES.get(at).map_or(yahoo::NAME, |(name, _)| name);
        let port = match provider {
            ibkr::NAME => Some(self.text(
                "providers.ibkr.port",
                "Port of TWS (7496, paper 7497) or its gateway (4001, paper 4002)",
                self.config.ibkr.port,
            )?),
            _ => None,
        };
        let parquet =
            Confirm::new().with_prompt("Write Parquet beside CSV").default(self.config.parquet).interact()?;
        let first = self.config.start_day.date().year();
        let year = self.text("date_range.start_year", "First year of history", first)?;
        let symbols = self.symbols(provider)?;
        let mut values: Vec<(&'static str, Value)> = vec![
            ("general.output_directory", archive.into()),
            ("general.default_provider", provider.into()),
            ("general.backup_enabled", parquet.into()),
        ];
        // They were whole numbers at the prompt.
        let numbers = [("date_range.start_year", Some(year)), ("providers.ibkr.port", port)];
        values.extend(numbers.into_iter().filter_map(|(key, text)| {
            let number: i64 = text?.trim().parse().ok()?;
            Some((key, number.into()))
        }));
        if provider == yahoo::NAME && !self.config.yahoo.enabled {
            values.push(("providers.yahoo.enabled", true.into()));
        }
        let list = (!symbols.is_empty()).then(|| list_of(&symbols));
        let next = self.next(provider, list.is_some());
        let write = Confirm::new().with_prompt("Write it").default(true).interact()?;
        Ok(write.then_some(Answers { values, list, next }))
    }

    /// A value, checked at the prompt as it will be in the file.
    fn text(&self, key: &'static str, prompt: &str, in_force: impl ToString) -> dialoguer::Result<String> {
        Input::new()
            .with_prompt(prompt)
            .default(in_force.to_string())
            .validate_with(|text: &String| self.check(key, text))
            .interact_text()
    }

    /// Whether a key may have this value beside all that is in force.
    fn check(&self, key: &'static str, text: &str) -> Result<(), String> {
        let mut answer = Overrides::default();
        answer.set(key, Some(text.to_owned()), "this answer");
        Config::load(&self.sources, &answer).map(drop).map_err(|error| {
            let said: Vec<_> = error.problems.into_iter().map(|problem| problem.said).collect();
            said.join("; ")
        })
    }

    /// The first symbols, where there is no list yet.
    fn symbols(&self, provider: &str) -> dialoguer::Result<BTreeSet<String>> {
        if self.has_list() {
            return Ok(BTreeSet::new());
        }
        let such = if provider == yahoo::NAME { "AAPL ^GSPC EURUSD=X" } else { "AAPL MSFT" };
        let text: String = Input::new()
            .with_prompt(format!("First symbols, such as {such} (none: the list that comes with Vortex)"))
            .allow_empty(true)
            .validate_with(|text: &String| check_symbols(text, provider))
            .interact_text()?;
        Ok(words(&text).map(str::to_owned).collect())
    }

    /// Whether the person has a list already.
    fn has_list(&self) -> bool {
        let folder = self.sources.config_directory();
        self.config.assets_file.is_some()
            || ["assets.json", "assets.toml"].iter().any(|name| folder.join(name).exists())
    }

    /// The command that works after this.
    fn next(&self, provider: &str, listed: bool) -> String {
        let config = match &self.global.config {
            Some(file) => format!(" -c {}", shell_words::quote(&file.to_string_lossy())),
            None => String::new(),
        };
        let symbol = if listed || self.has_list() || provider == sample::NAME { "" } else { " -s AAPL" };
        let download = format!("vortex{config} download{symbol}");
        match provider {
            barchart::NAME => format!(
                "let Barchart know you, by one of\n  \
                 vortex{config} providers --login barchart (the session of your browser)\n  \
                 vortex{config} config --provider barchart --set-credentials (name and password)\n  \
                 providers.barchart.api_key in the file (a key of OnDemand)\n\
                 or `vortex{config} import FILE…` what you downloaded by hand; then\n  {download}"
            ),
            ibkr::NAME => format!("vortex{config} providers --test ibkr, and then {download}"),
            _ => download,
        }
    }

    fn write(&self, answers: &Answers) -> Outcome {
        tell_kept(&self.file)?;
        store::set(&self.sources, &self.file, &answers.values)?;
        if let Some(list) = &answers.list {
            let file = self.sources.config_directory().join("assets.json");
            store::replace(&file, list)?;
            output::line(format_args!("The list is {}.", file.display()))?;
        }
        output::line(format_args!("Written. Next: {}", answers.next))?;
        Ok(Exit::Done)
    }
}

/// Symbols as a person separates them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '\t']).filter(|word| !word.is_empty())
}

/// Whether these symbols make a list.
fn check_symbols(text: &str, provider: &str) -> Result<(), String> {
    for word in words(text) {
        symbol::encode(word)?;
    }
    let symbols = words(text).map(str::to_owned).collect();
    let parsed = assets::parse("assets.json", &list_of(&symbols), provider);
    parsed.map(drop).map_err(|error| error.to_string())
}

/// An instruments file of codes, each under its own name.
fn list_of(symbols: &BTreeSet<String>) -> String {
    let mut classes: BTreeMap<&str, BTreeMap<&str, serde_json::Value>> = BTreeMap::new();
    for code in symbols {
        let class = Instrument::of_code(code).class.name();
        classes.entry(class).or_default().insert(code, serde_json::json!({ "code": code }));
    }
    format!("{:#}\n", serde_json::json!(classes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::args::Color;
    use super::*;
    use crate::request::source;

    /// A wizard in a home of its own, whose file says this.
    fn wizard<'a>(home: &Path, global: &'a Global, text: &str) -> Wizard<'a> {
        let sources = Sources {
            root: home.to_owned(),
            env: BTreeMap::new(),
            home: home.to_owned(),
            working: home.to_owned(),
            dotenv: false,
            config_file: None,
            this_year: 2026,
        };
        let file = sources.user_file();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        let config = Config::load(&sources, &Overrides::default()).unwrap().config;
        Wizard { global, sources, file, config }
    }

    fn global() -> Global {
        Global { config: None, verbose: 0, dry_run: false, json: false, color: Color::Never }
    }

    #[test]
    fn an_answer_is_checked_as_the_file_will_be() {
        let (home, global) = (tempfile::tempdir().unwrap(), global());
        let wizard = wizard(home.path(), &global, "date_range.end_year = 2010\n");
        let refused = |text: &str| wizard.check("date_range.start_year", text).unwrap_err();
        assert!(refused("nineteen").contains("a whole number from 1980 to 9999"));
        assert!(refused("2011").contains("after date_range.end_year 2010"));
        assert_eq!(wizard.check("date_range.start_year", "2010"), Ok(()));
        assert!(wizard.check("general.output_directory", " ").is_err());
        let file = wizard.file.display().to_string();
        assert!(wizard.check("general.output_directory", &file).unwrap_err().contains("is a file"));
    }

    #[test]
    fn what_is_written_keeps_the_old_file_and_is_in_force() {
        let (home, global) = (tempfile::tempdir().unwrap(), global());
        let wizard = wizard(home.path(), &global, "# mine\ngeneral.dry_run = false\n");
        let symbols = ["AAPL", "EURUSD=X", "GC=F"].map(str::to_owned).into();
        assert_eq!(wizard.next(yahoo::NAME, false), "vortex download -s AAPL");
        for (provider, ways) in [
            (
                barchart::NAME,
                &["--login barchart", "--set-credentials", "api_key", "import FILE", "download -s AAPL"][..],
            ),
            (ibkr::NAME, &["providers --test ibkr", "download -s AAPL"][..]),
        ] {
            let next = wizard.next(provider, false);
            assert!(ways.iter().all(|way| next.contains(way)), "{next}");
        }
        let values = vec![("date_range.start_year", 2015.into())];
        let next = wizard.next(yahoo::NAME, true);
        assert_eq!(next, "vortex download");
        wizard.write(&Answers { values, list: Some(list_of(&symbols)), next }).unwrap();
        let old = std::fs::read_to_string(wizard.file.with_extension("toml.old")).unwrap();
        assert_eq!(old, "# mine\ngeneral.dry_run = false\n");
        let config = Config::load(&wizard.sources, &Overrides::default()).unwrap().config;
        assert_eq!(config.start_day.to_string(), "2015-01-01");
        let (from, list) = assets::find(yahoo::NAME, None, &config.config_directory).unwrap();
        assert!(from.ends_with("assets.json"), "{from}");
        let classes: Vec<_> = list.iter().map(|instrument| instrument.class.name()).collect();
        assert_eq!(classes, ["forex", "future", "stock"]);
    }

    #[test]
    fn every_provider_that_is_asked_can_be_chosen() {
        assert!(source::ASKED.iter().eq(CHOICES.iter().map(|(name, _)| name)));
    }

    #[test]
    fn symbols_are_checked_at_the_prompt() {
        assert_eq!(check_symbols("AAPL, MSFT ^GSPC", yahoo::NAME), Ok(()));
        assert_eq!(check_symbols("", yahoo::NAME), Ok(()));
        assert!(check_symbols("AAPL ../x", yahoo::NAME).unwrap_err().contains("../x"));
    }
}
