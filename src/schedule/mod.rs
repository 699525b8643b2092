//! The schedules of a configuration, for the service's own scheduler and for the generator of timers.

pub mod generator;

use crate::config::{Config, ScheduleSettings};
use crate::model::Calendar;
use crate::request::Request;

/// A scheduled run is put off by up to this many seconds, so that not everybody asks at the full minute.
pub const JITTER: u64 = 60;

/// When the packaged timer fires.
const PACKAGED: &str = "*-*-* 08:00:00";

/// One schedule of the configuration.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `update` for the whole list, else `update-<watchlist>`; names timers and notes.
    pub name: String,
    /// When.
    pub calendar: Calendar,
    /// What is asked for.
    pub request: Request,
}

/// The schedules of a configuration; `whole` is what a run of the whole list asks for.
pub fn entries(config: &Config, whole: &Request) -> Vec<Entry> {
    let of_list = calendar(&config.schedule).map(|calendar| Entry {
        name: "update".to_owned(),
        calendar,
        request: whole.clone(),
    });
    let of_watchlists = config.watchlists.iter().filter_map(|(name, list)| {
        let calendar = calendar(&list.schedule)?;
        let request = Request { watchlist: Some(name.clone()), ..Request::default() };
        Some(Entry { name: format!("update-{name}"), calendar, request })
    });
    of_list.into_iter().chain(of_watchlists).collect()
}

/// The schedules in force: those of the configuration, and where the whole list has none, that of the packaged
/// timer (`systemd/user/vortex-update.timer`), which holds without systemd too.
pub fn in_force(config: &Config, whole: &Request) -> Vec<Entry> {
    let mut all = entries(config, whole);
    let own = &config.schedule;
    if own.cron.is_none()
        && own.on_calendar.is_none()
        && !own.switched_off
        && let Ok(calendar) = Calendar::of_expression(PACKAGED)
    {
        all.push(Entry { name: "update".to_owned(), calendar, request: whole.clone() });
    }
    all
}

/// What a section of the configuration says. It was checked when it was read.
fn calendar(settings: &ScheduleSettings) -> Option<Calendar> {
    let of_cron = settings.cron.as_deref().map(Calendar::of_cron);
    of_cron.or_else(|| settings.on_calendar.as_deref().map(Calendar::of_expression))?.ok()
}

#[cfg(test)]
mod tests {
    use super::PACKAGED;

    #[test]
    fn the_packaged_timers_fire_when_we_say() {
        for scope in ["user", "system"] {
            let file = format!("{}/systemd/{scope}/vortex-update.timer", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains(&format!("OnCalendar={PACKAGED}\n")), "{text}");
        }
    }
}
