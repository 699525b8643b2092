//! Log lines of `tracing` to the outputs that the configuration names.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::sys::stat::fstat;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::messages::{MESSAGES, Message, id_of};
use super::rotate::RotatingFile;
use crate::config::{LogFormat, LogLevel, LogOutput, LoggingSettings};

/// The target of lines on the course of a job, which people see as progress.
pub const JOB: &str = "vortex::job";

/// The target of lines on runs by a schedule, which have a log of their own beside the log file.
pub const SCHEDULED: &str = "vortex::scheduled";

/// The log of runs by a schedule.
const SCHEDULER_LOG: &str = "vortex-scheduler.out.log";

/// What standard error is used for.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Colour is allowed; only the format `rich` uses it.
    pub colour: bool,
    /// It is that of the service: nothing else tells how its jobs go, and in a container a machine reads it.
    pub service: bool,
}

impl Console {
    /// How its lines look: those of a service in a container are JSON, unless they are for a terminal or the
    /// configuration says `rich`.
    fn format(self, configured: LogFormat) -> LogFormat {
        let for_machines = self.service && in_container() && !io::stderr().is_terminal();
        match configured {
            LogFormat::Console if for_machines => LogFormat::Json,
            format => format,
        }
    }
}

/// Whether this is a container: those of Podman and systemd say so in the environment, Docker by a file,
/// Kubernetes by the address of its server.
fn in_container() -> bool {
    let named = ["container", "KUBERNETES_SERVICE_HOST"]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    named || ["/run/.containerenv", "/.dockerenv"].into_iter().any(|path| Path::new(path).exists())
}

/// Starts logging for the life of the process. `verbosity` counts `-v`: one is DEBUG, two are TRACE.
///
/// Errors name the output that cannot be written, or say that logging runs already.
pub fn init(settings: &LoggingSettings, verbosity: u8, console: Console) -> Result<(), String> {
    let layers = layers(settings, console)?;
    let (filter, handle) = reload::Layer::new(filter(settings.level, verbosity));
    tracing_subscriber::registry()
        .with(filter)
        .with(layers)
        .try_init()
        .map_err(|error| format!("logging cannot be started: {error}"))?;
    let control = Control {
        verbosity,
        level: Mutex::new(settings.level),
        set: Box::new(move |filter| handle.reload(filter)),
    };
    // It is set once, here.
    let _ = CONTROL.set(control);
    Ok(())
}

/// What `try_init` put in force, to be changed while the program runs.
struct Control {
    verbosity: u8,
    level: Mutex<LogLevel>,
    set: Box<dyn Fn(Targets) -> Result<(), reload::Error> + Send + Sync>,
}

static CONTROL: OnceLock<Control> = OnceLock::new();

/// The level in force.
pub fn level() -> LogLevel {
    CONTROL
        .get()
        .map_or(LogLevel::Info, |control| *control.level.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Changes the level from now on.
pub fn set_level(level: LogLevel) -> Result<(), String> {
    let Some(control) = CONTROL.get() else { return Err("logging does not run".to_owned()) };
    (control.set)(filter(level, control.verbosity)).map_err(|error| error.to_string())?;
    *control.level.lock().unwrap_or_else(PoisonError::into_inner) = level;
    Ok(())
}

/// Vortex at the level asked for. Libraries only when they warn: what they say below that may hold
/// headers and cookies.
fn filter(level: LogLevel, verbosity: u8) -> Targets {
    let configured = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let asked = match verbosity {
        0 => configured,
        1 => configured.max(LevelFilter::DEBUG),
        _ => LevelFilter::TRACE,
    };
    // The gateway's protocol: what it warns of the provider says in its own words.
    let protocol = if verbosity > 1 { LevelFilter::WARN } else { LevelFilter::OFF };
    Targets::new()
        .with_default(asked.min(LevelFilter::WARN))
        .with_target("ibapi", protocol)
        .with_target("vortex", asked)
}

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;

fn layers<S>(settings: &LoggingSettings, console: Console) -> Result<Vec<BoxedLayer<S>>, String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let wants = |output| settings.output.contains(&output);
    let mut layers = Vec::new();
    let by_systemd = wants(LogOutput::Console) && is_journal(&io::stderr());
    let mut journal_said = None;
    if by_systemd || wants(LogOutput::Journald) {
        match journal() {
            Ok(journal) => layers.extend(journal),
            Err(error) => journal_said = Some(format!("the journal cannot be reached: {error}")),
        }
    }
    let journal_fails = journal_said.is_some();
    if let Some(said) = journal_said.filter(|_| wants(LogOutput::Journald)) {
        return Err(format!("{said}; take journald out of general.logging.output"));
    }
    if wants(LogOutput::Console) && (!by_systemd || journal_fails) {
        let format = console.format(settings.format);
        let to_console = lines(format, io::stderr, console.colour && format == LogFormat::Rich);
        // To people who wait for a command the progress tells it already.
        let whole = console.service || format == LogFormat::Json;
        layers.push(to_console.with_filter(filter_fn(move |about| whole || about.target() != JOB)).boxed());
    }
    let to_file = wants(LogOutput::File) || (console.service && settings.file_of_service);
    if to_file {
        layers.push(lines(settings.format, log_file(settings, &settings.file_path)?, false));
    }
    let mut layers: Vec<BoxedLayer<S>> = layers.into_iter().map(|layer| only(layer, false)).collect();
    if to_file && console.service {
        let file = log_file(settings, &settings.file_path.with_file_name(SCHEDULER_LOG))?;
        layers.push(only(lines(LogFormat::Console, file, false), true));
    }
    Ok(layers)
}

/// A layer of the lines on runs by a schedule, or of all others.
fn only<S>(layer: BoxedLayer<S>, scheduled: bool) -> BoxedLayer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    layer.with_filter(filter_fn(move |about| (about.target() == SCHEDULED) == scheduled)).boxed()
}

fn log_file(settings: &LoggingSettings, path: &Path) -> Result<Mutex<RotatingFile>, String> {
    let file = RotatingFile::open(path, settings.max_file_size, settings.backup_count);
    file.map(Mutex::new).map_err(|error| {
        let key = "set general.logging.file_path to a file that can be written";
        format!("the log file {} cannot be opened: {error}; {key}", path.display())
    })
}

/// The journal, with our own fields as `VORTEX_…`. The library gives a layer either fields of its own or a
/// prefix to all, so that each kind of event has a layer with its MESSAGE_ID, and the rest one without.
fn journal<S>() -> io::Result<Vec<BoxedLayer<S>>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = |message: Option<&Message>| -> io::Result<BoxedLayer<S>> {
        let journal = tracing_journald::layer()?.with_field_prefix(Some("VORTEX".to_owned()));
        let journal = journal.with_syslog_identifier("vortex".to_owned());
        Ok(match message {
            Some(message) => {
                let name = message.name;
                let journal = journal.with_custom_fields([("MESSAGE_ID", message.id)]);
                journal.with_filter(filter_fn(move |about| about.name() == name)).boxed()
            }
            None => journal.with_filter(filter_fn(|about| id_of(about.name()).is_none())).boxed(),
        })
    };
    MESSAGES.iter().map(Some).chain([None]).map(layer).collect()
}

/// Lines of text or JSON; every field of an event and of its spans is in them.
fn lines<S, W>(format: LogFormat, writer: W, colour: bool) -> BoxedLayer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour);
    match format {
        LogFormat::Json => lines.json().with_current_span(false).boxed(),
        LogFormat::Console | LogFormat::Rich => lines.with_target(false).boxed(),
    }
}

/// Whether systemd connected this stream to the journal: `$JOURNAL_STREAM` names its device and
/// inode. A child whose output somebody redirected inherits the variable, not the stream.
fn is_journal(stream: &impl AsFd) -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(stream).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Whether a stream may show colour: `--color` decides, else a terminal without `NO_COLOR`.
pub fn colour_allowed(stream: &impl IsTerminal, asked: Option<bool>) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    asked.unwrap_or(stream.is_terminal() && !no_color)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: LogLevel, verbosity: u8) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::registry()
            .with(lines(format, move || writer.clone(), false))
            .with(filter(level, verbosity));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("series", provider = "sample");
            let _inside = span.enter();
            tracing::info!(symbol = "AAPL", rows = 3, "stored");
            tracing::debug!("detail");
            tracing::info!(target: "hyper", "cookie");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn fields_of_events_and_spans_are_in_json_and_text() {
        let json = logged(LogFormat::Json, LogLevel::Info, 0);
        let line: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["fields"]["symbol"], "AAPL");
        assert_eq!(line["fields"]["rows"], 3);
        assert_eq!(line["spans"][0]["provider"], "sample");
        let text = logged(LogFormat::Rich, LogLevel::Info, 0);
        assert!(text.contains("provider=\"sample\"") && text.contains("rows=3"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn verbosity_raises_our_level_and_never_that_of_libraries() {
        assert_eq!(logged(LogFormat::Json, LogLevel::Warning, 0), "");
        assert!(!logged(LogFormat::Json, LogLevel::Info, 0).contains("detail"));
        let all = logged(LogFormat::Json, LogLevel::Error, 2);
        assert!(all.contains("detail") && !all.contains("cookie"), "{all}");
    }
}
