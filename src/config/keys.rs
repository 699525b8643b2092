//! Every key of the configuration in one table. Validation, `config --show`, the environment and
//! the reference in `docs/configuration.md` are all driven by it.

use super::kind::Kind;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path; `*` stands for a name the user chooses.
    pub path: &'static str,
    /// Type and allowed values.
    pub kind: Kind,
    /// The value where nobody sets one.
    pub default: Fallback,
    /// Environment variables that set it, the first one wins. `VORTEX__SECTION__KEY` always works.
    pub env: &'static [&'static str],
    /// What it means, in one sentence.
    pub help: &'static str,
}

/// What holds where no layer sets a key.
#[derive(Clone, Copy, Debug)]
pub enum Fallback {
    /// This value, written as in the environment.
    Is(&'static str),
    /// Worked out from other things, described in words; or nothing at all.
    Words(&'static str),
}

use Fallback::{Is, Words};

/// The providers that can be named.
pub const PROVIDERS: &[&str] = &["yahoo", "barchart", "ibkr", "sample", "replay"];

const LEVEL: &str = "general.logging.level";
const UNSET: Fallback = Words("not set");
const BROWSER: Fallback = Is(
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
);
/// What Vortex calls itself where nobody minds who asks.
const OWN_NAME: Fallback = Is("Vortex (market-data archive)");
const TIMEOUT: Kind = Kind::Integer { min: 1, max: 300 };
const RATE: Kind = Kind::Integer { min: 1, max: 1_000_000 };
const CONCURRENCY: Kind = Kind::Integer { min: 1, max: 32 };
const PORT: Kind = Kind::Integer { min: 1, max: 65_535 };
const YEAR: Kind = Kind::Integer { min: 1980, max: 9999 };

const fn key(
    path: &'static str,
    kind: Kind,
    default: Fallback,
    env: &'static [&'static str],
    help: &'static str,
) -> Key {
    Key { path, kind, default, env, help }
}

/// The table, in the order of the reference.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("general.output_directory", Kind::Path, Words("`$XDG_DATA_HOME/vortex`, else `~/.local/share/vortex`"), &["VORTEX_OUTPUT_DIR"], "The archive's folder; relative to the working folder, `~` is the home folder."),
    key("general.raw_directory", Kind::Path, Words("`raw` in the archive"), &["VORTEX_RAW_DIR", "VORTEX_RAW_BASE_DIRECTORY"], "Where answers are kept as received."),
    key("general.default_provider", Kind::Provider, Is("yahoo"), &["VORTEX_DEFAULT_PROVIDER"], "Who serves where no provider is named; `mock` is an old name of `sample`."),
    key("general.assets_file", Kind::Path, Words("looked up in the configuration folder"), &["VORTEX_ASSETS_FILE"], "The instruments file."),
    key("general.backup_enabled", Kind::Bool, Is("true"), &["VORTEX_BACKUP_ENABLED"], "Write a Parquet twin beside each CSV; `false` writes CSV alone."),
    key("general.force_backup", Kind::Bool, Is("false"), &[], "Write the Parquet twin even where nothing is new."),
    key("general.dry_run", Kind::Bool, Is("false"), &["VORTEX_DRY_RUN"], "Plan and print, fetch nothing, write nothing."),
    key("general.random_sleep_max", Kind::Integer { min: 0, max: 300 }, Is("10"), &[], "Upper bound, in seconds, of a random pause between requests of a provider that asks for one; 0 is none."),
    key(LEVEL, Kind::Level, Is("INFO"), &["VORTEX_LOG_LEVEL", "VORTEX_LOGGING_LEVEL"], "The least severe level that is logged."),
    key("general.logging.format", Kind::Choice(&["console", "json", "rich"]), Is("console"), &["VORTEX_LOGGING_FORMAT"], "How log lines look; `rich` is console text with colour. In a container the service writes `console` as JSON."),
    key("general.logging.output", Kind::Choices(&["console", "file", "journald"]), Is("console"), &["VORTEX_LOGGING_OUTPUT"], "Where log lines go; under systemd the journal is used by itself."),
    key("general.logging.file_path", Kind::Path, Words("`logs/vortex.log` in the state folder"), &["VORTEX_LOGGING_FILE_PATH"], "The log file, where `output` has `file`. The service also writes it where this is set and `output` is not, with `vortex-scheduler.out.log` beside it: each run by a schedule."),
    key("general.logging.max_file_size", Kind::Integer { min: 1024, max: i64::MAX }, Is("10485760"), &[], "Bytes after which the log file is rotated."),
    key("general.logging.backup_count", Kind::Integer { min: 1, max: 20 }, Is("5"), &[], "How many rotated log files are kept."),
    key("general.metrics.enabled", Kind::Bool, Is("true"), &["VORTEX_METRICS_ENABLED"], "Count at all. Not acted on by this version."),
    key("general.metrics.listen", Kind::Listen, UNSET, &[], "Address, with or without port, that serves the metrics; nothing listens where neither this nor `port` is set. Not acted on by this version."),
    key("general.metrics.port", Kind::Integer { min: 1024, max: 65_535 }, Words("8000, where `listen` has none"), &["VORTEX_METRICS_PORT"], "Port that serves the metrics, on loopback where `listen` is not set. Not acted on by this version."),
    key("general.metrics.path", Kind::HttpPath, Is("/metrics"), &["VORTEX_METRICS_PATH"], "HTTP path of the metrics. Not acted on by this version."),
    key("general.metrics.textfile", Kind::Path, UNSET, &[], "Write the metrics for node_exporter to this file. Not acted on by this version."),
    key("general.raw.enabled", Kind::Bool, Is("true"), &["VORTEX_RAW_ENABLED"], "Keep answers as received."),
    key("general.raw.retention_days", Kind::Retention, Is("30"), &["VORTEX_RAW_RETENTION_DAYS"], "How many days answers are kept; `\"none\"` is for ever."),
    key("general.raw.compress", Kind::Bool, Is("true"), &["VORTEX_RAW_COMPRESS"], "Keep answers compressed: as they came where that is gzip, else by zstd."),
    key("general.raw.include_metadata", Kind::Bool, Is("true"), &["VORTEX_RAW_INCLUDE_METADATA"], "Keep the request's metadata beside the answer."),
    key("providers.yahoo.enabled", Kind::Bool, Is("true"), &[], "May be used."),
    key("providers.yahoo.base_url", Kind::BaseUrl, UNSET, &[], "Stands for scheme, host and port of every host of the provider."),
    key("providers.yahoo.ca_file", Kind::Path, UNSET, &[], "PEM file with further certificate authorities to trust."),
    key("providers.yahoo.timeout", TIMEOUT, Is("30"), &["VORTEX_YAHOO_TIMEOUT"], "Seconds a request may take."),
    key("providers.yahoo.requests_per_minute", RATE, Is("60"), &[], "Requests a minute, over all processes of this user."),
    key("providers.yahoo.concurrency", CONCURRENCY, Is("2"), &[], "Requests in flight at once."),
    key("providers.yahoo.agree_to_consent", Kind::Bool, Is("false"), &[], "Agree to Yahoo's consent form, shown to European addresses in place of data, on your behalf."),
    key("providers.yahoo.user_agent", Kind::Header, BROWSER, &[], "The User-Agent header; Yahoo refuses those of plain libraries."),
    key("providers.barchart.username", Kind::Secret, UNSET, &["VORTEX_BARCHART_USERNAME"], "Account name; `password` must be set too."),
    key("providers.barchart.password", Kind::Secret, UNSET, &["VORTEX_BARCHART_PASSWORD"], "Password; a file that holds it must be readable by its owner alone (0600)."),
    key("providers.barchart.api_key", Kind::Secret, UNSET, &["VORTEX_BARCHART_API_KEY"], "Key of Barchart's OnDemand service, which is then asked in place of the site; a file that holds it must be readable by its owner alone (0600)."),
    key("providers.barchart.daily_limit", Kind::Integer { min: 1, max: 1000 }, Is("150"), &["VORTEX_BARCHART_DAILY_LIMIT"], "Downloads a day that the account or the key allows."),
    key("providers.barchart.import_directory", Kind::Path, UNSET, &[], "Folder that the service watches for CSV files downloaded by hand, which it takes into the archive."),
    key("providers.barchart.base_url", Kind::BaseUrl, UNSET, &[], "Stands for scheme, host and port of every host of the provider."),
    key("providers.barchart.ca_file", Kind::Path, UNSET, &[], "PEM file with further certificate authorities to trust."),
    key("providers.barchart.timeout", TIMEOUT, Is("30"), &["VORTEX_BARCHART_TIMEOUT"], "Seconds a request may take."),
    key("providers.barchart.requests_per_minute", RATE, Is("60"), &[], "Requests a minute, over all processes of this user."),
    key("providers.barchart.concurrency", CONCURRENCY, Is("2"), &[], "Requests in flight at once."),
    key("providers.barchart.user_agent", Kind::Header, OWN_NAME, &[], "The User-Agent header."),
    key("providers.ibkr.host", Kind::Host, Is("localhost"), &["VORTEX_IBKR_HOST"], "Host name or address of the gateway; its protocol is not encrypted."),
    key("providers.ibkr.port", PORT, Is("7497"), &["VORTEX_IBKR_PORT"], "TCP port of the gateway."),
    key("providers.ibkr.client_id", Kind::Integer { min: 0, max: 999 }, Is("1"), &["VORTEX_IBKR_CLIENT_ID"], "API client id."),
    key("providers.ibkr.timeout", TIMEOUT, Is("30"), &["VORTEX_IBKR_TIMEOUT"], "Seconds a request may take."),
    key("providers.ibkr.what_to_show", Kind::Choice(&["TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST"]), Words("`TRADES`, for forex `MIDPOINT`"), &[], "Which data; forex has no trades, `ADJUSTED_LAST` (adjusted for dividends too) is for stocks, from `1d` up."),
    key("providers.ibkr.use_rth", Kind::Bool, Words("`true` for stocks, `false` for futures and forex"), &[], "Bars of regular trading hours alone."),
    key("date_range.start_year", YEAR, Is("2000"), &[], "Nothing before the first of January of this year is asked for."),
    key("date_range.end_year", YEAR, Words("this year"), &[], "Nothing after the end of this year is asked for; not before `start_year`."),
    key("date_range.backfill_enabled", Kind::Bool, Is("true"), &[], "Ask for history older than the first stored bar."),
    key("schedule.schedule", Kind::Cron, UNSET, &["VORTEX_SCHEDULE"], "When the service updates the whole list: five cron fields; empty or `# DISABLED` is never."),
    key("schedule.on_calendar", Kind::Calendar, UNSET, &[], "The same as a systemd calendar expression."),
    key("schedule.run_on_startup", Kind::Bool, Is("false"), &["VORTEX_RUN_ON_STARTUP"], "Also once when the service starts."),
    key("schedule.download_args", Kind::Text, UNSET, &["VORTEX_DOWNLOAD_ARGS"], "Options of `vortex download` for the start-up and the scheduled run."),
    key("watchlists.*.provider", Kind::Provider, Words("`general.default_provider`"), &[], "Who serves this list."),
    key("watchlists.*.assets", Kind::Path, Words("the usual instruments file"), &[], "The instruments file of this list."),
    key("watchlists.*.symbols", Kind::Texts, Words("all of the instruments file"), &[], "Names of the instruments file, or codes of the provider."),
    key("watchlists.*.periods", Kind::Periods, Words("each instrument's own"), &[], "Periods to keep."),
    key("watchlists.*.schedule", Kind::Cron, UNSET, &[], "When this list is updated by itself: five cron fields."),
    key("watchlists.*.on_calendar", Kind::Calendar, UNSET, &[], "The same as a systemd calendar expression."),
    key("notify.command", Kind::Text, UNSET, &[], "Command line that is run where a run needs a person. Not acted on by this version."),
    key("notify.webhook", Kind::Url, UNSET, &[], "Address that is told by POST. Not acted on by this version."),
];

/// Keys below these are checked, and nothing acts on them in this version.
const NOT_ACTED_ON: &[&str] = &["general.metrics.", "notify."];

/// Whether nothing acts on a key in this version.
pub fn is_idle(path: &str) -> bool {
    NOT_ACTED_ON.iter().any(|section| path.starts_with(section))
}

/// Keys under an older name: accepted, with a notice.
pub const OLD_NAMES: &[(&str, &str)] = &[("general.log_level", LEVEL)];

/// Variables of the environment that name no key.
pub const OTHER_VARIABLES: &[&str] = &["VORTEX_CONFIG_DIR", "VORTEX_BUS_ADDRESS"];

/// The variable whose name is nearest to one that is none; `None` where no name is near.
pub fn nearest_variable(name: &str) -> Option<String> {
    let (plain, ending) = name.strip_suffix("_FILE").map_or((name, ""), |plain| (plain, "_FILE"));
    let known = KEYS.iter().flat_map(|key| key.env).chain(OTHER_VARIABLES);
    known
        .map(|known| (strsim::damerau_levenshtein(plain, known), known))
        .min()
        .filter(|(far, _)| *far <= 3)
        .map(|(_, known)| format!("{known}{ending}"))
}

/// The key of a dotted path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| matches(key.path, path))
}

/// Whether keys lie below the path, so that it names a section.
pub fn is_section(path: &str) -> bool {
    let depth = path.split('.').count();
    KEYS.iter().any(|key| {
        let mut parts = key.path.split('.');
        let head: Vec<_> = parts.by_ref().take(depth).collect();
        parts.next().is_some() && matches(&head.join("."), path)
    })
}

/// The known key that looks most like an unknown one.
pub fn nearest(path: &str) -> Option<String> {
    let (section, last) = path.rsplit_once('.').unwrap_or(("", path));
    let names = KEYS.iter().map(|key| fill_in(key.path, path)).chain(sections());
    // A key written in the wrong section is as near as a misspelt one.
    let distance = |name: &str| {
        let (other, end) = name.rsplit_once('.').unwrap_or(("", name));
        let moved = if section == other { 0 } else { 2 };
        strsim::damerau_levenshtein(path, name).min(strsim::damerau_levenshtein(last, end) + moved)
    };
    names
        .map(|name| (distance(&name), name))
        .min()
        .filter(|(far, name)| *far <= 3.max(name.len() / 6))
        .map(|(_, name)| name)
}

fn sections() -> impl Iterator<Item = String> {
    KEYS.iter().filter_map(|key| {
        let (section, _) = key.path.rsplit_once('.')?;
        (!section.contains('*')).then(|| section.to_owned())
    })
}

/// Puts the name a person chose in the place of the `*`.
fn fill_in(pattern: &str, path: &str) -> String {
    let mut chosen = path.split('.');
    let parts: Vec<_> = pattern
        .split('.')
        .map(|part| match (part, chosen.next()) {
            ("*", Some(name)) => name,
            _ => part,
        })
        .collect();
    parts.join(".")
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('.');
    let same = pattern.split('.').all(|part| parts.next().is_some_and(|p| part == "*" || part == p));
    same && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed() {
        for key in KEYS {
            if let Is(text) = key.default {
                key.kind.read_text(text).unwrap();
            }
        }
    }

    #[test]
    fn paths_and_variables_are_unique() {
        let mut paths: Vec<_> = KEYS.iter().map(|key| key.path).collect();
        let mut names: Vec<_> = KEYS.iter().flat_map(|key| key.env).collect();
        for len in [paths.len(), names.len()] {
            assert!(len > 0);
        }
        let before = (paths.len(), names.len());
        paths.sort_unstable();
        paths.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!(before, (paths.len(), names.len()));
    }

    #[test]
    fn misspelt_and_misplaced_keys_have_a_nearest() {
        for (wrong, right) in [
            ("general.ouput_directory", "general.output_directory"),
            ("general.level", "general.logging.level"),
            ("genral", "general"),
            ("watchlists.tech.symbol", "watchlists.tech.symbols"),
            ("providers.yaho.timeout", "providers.yahoo.timeout"),
        ] {
            assert_eq!(nearest(wrong).as_deref(), Some(right), "{wrong}");
        }
        assert_eq!(nearest("completely.different_thing"), None);
    }
}
