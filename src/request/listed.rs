//! Which series the lists of a configuration ask for. What is on none is brought up to date only where somebody
//! names it, and is late for nobody.

use std::collections::{HashMap, HashSet};

use super::{Request, source};
use crate::config::file::Accept;
use crate::config::{Config, Watchlist, assets};
use crate::download;
use crate::model::{Day, Period, SeriesKey};

/// The names of each provider that are on a list, with the periods that are asked for there.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// A provider without lists of the person's own is not in it: what was asked for by name is the list there.
    of: HashMap<String, HashMap<String, HashSet<Period>>>,
}

impl Lists {
    /// The lists in force: the instruments files, the watchlists, and what the run of the `whole` list asks for.
    pub fn of(config: &Config, whole: &Request) -> Lists {
        let of_file =
            |provider: &&str| Request { provider: Some((*provider).to_owned()), ..Request::default() };
        let of_list = |name: &String| Request { watchlist: Some(name.clone()), ..Request::default() };
        let requests = [whole.clone()].into_iter();
        let requests = requests.chain(config.watchlists.keys().map(of_list));
        let mut lists = Lists::default();
        let (mut own, mut unknown) = (HashSet::new(), HashSet::new());
        for request in requests.chain(source::ASKED.iter().map(of_file)) {
            let list = request.of_watchlist(config).ok().flatten();
            let provider = request.provider_name(config, list).to_owned();
            let Some(listed) = request.listed(config, list, &provider) else {
                // Nobody knows what is on a list that cannot be read.
                unknown.insert(provider);
                continue;
            };
            if listed.is_own {
                own.insert(provider.clone());
            }
            let names = lists.of.entry(provider).or_default();
            for (name, periods) in listed.names {
                names.entry(name).or_default().extend(periods);
            }
        }
        lists.of.retain(|provider, _| own.contains(provider) && !unknown.contains(provider));
        lists
    }

    /// Whether a series is on a list.
    pub fn has(&self, key: &SeriesKey) -> bool {
        let Some(names) = self.of.get(&key.provider) else { return true };
        names.get(&key.symbol).is_some_and(|periods| periods.contains(&key.period))
    }
}

/// What one request asks for.
struct Listed {
    /// A person wrote it down.
    is_own: bool,
    /// Names, with their periods.
    names: Vec<(String, Vec<Period>)>,
}

impl Request {
    /// What it asks for; `None` where its instruments file cannot be read, or can be only once.
    fn listed(&self, config: &Config, list: Option<&Watchlist>, provider: &str) -> Option<Listed> {
        let file = self.instruments_file(config, list).map(|(file, _)| (file, Accept::File));
        let (source, instruments) = assets::find(provider, file, &config.config_directory).ok()?;
        let today = Day::of_utc((source::clock())());
        let selection = self.selection(config, list, instruments, today);
        let is_own = list.is_some() || !selection.symbols.is_empty() || source != assets::BUILT_IN;
        Some(Listed { is_own, names: download::listed(&selection).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::model::Class;

    fn has(lists: &Lists, provider: &str, symbol: &str, period: Period) -> bool {
        let (provider, symbol) = (provider.to_owned(), symbol.to_owned());
        lists.has(&SeriesKey { provider, class: Class::Stock, symbol, contract: None, period })
    }

    #[test]
    fn a_series_is_listed_by_files_watchlists_and_the_run_of_the_whole_list() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/vortex");
        std::fs::create_dir_all(&folder).unwrap();
        let sources = Sources {
            root: home.path().join("nowhere"),
            env: Default::default(),
            home: home.path().to_owned(),
            working: home.path().to_owned(),
            dotenv: false,
            config_file: None,
            this_year: 2026,
        };
        let config = || Config::load(&sources, &Default::default()).unwrap().config;
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("config.toml", "general.default_provider = \"yahoo\"\n");
        // With no list of one's own everything that was asked for is the list.
        let lists = Lists::of(&config(), &Request::default());
        assert!(has(&lists, "yahoo", "ANY", Period::M1) && has(&lists, "vortex", "GOLD", Period::D1));
        write(
            "assets.json",
            r#"{"stock": {"AAPL": {"code": "AAPL"}, "OFF": {"code": "OFF", "periods": ""}}}"#,
        );
        write(
            "config.toml",
            "general.default_provider = \"yahoo\"\n[watchlists.few]\nsymbols = [\"MSFT\", \"AAPL\"]\nperiods = [\"1h\"]\n",
        );
        let whole = Request { symbols: vec!["NAMED".to_owned()], ..Request::default() };
        let lists = Lists::of(&config(), &whole);
        for (symbol, period, listed) in [
            ("AAPL", Period::D1, true),
            ("AAPL", Period::H1, true),
            ("AAPL", Period::M1, false),
            ("MSFT", Period::H1, true),
            ("MSFT", Period::D1, false),
            ("NAMED", Period::D1, true),
            ("OFF", Period::D1, false),
            ("GONE", Period::D1, false),
        ] {
            assert_eq!(has(&lists, "yahoo", symbol, period), listed, "{symbol} {period}");
        }
        assert!(has(&lists, "vortex", "GOLD", Period::D1), "what is derived is on no list");
        write("assets.json", "{");
        assert!(has(&Lists::of(&config(), &whole), "yahoo", "GONE", Period::D1), "nobody knows");
    }
}
