//! The clock a job goes by: this machine's, set right by the provider's where the two are far apart. A plan made by
//! a wrong clock is made again before anything is concluded from it.

use super::plan::{Standpoint, plan, today_of};
use super::series::{Course, Shared};
use super::sessions::Judge;
use crate::archive::SeriesState;
use crate::model::day::DAY_SECONDS;

/// Clocks that are so many seconds apart agree: what is planned reaches to tomorrow, and what came is judged by the
/// clock of who sent it.
const LITTLE: i64 = 36 * 3600;
/// A plan is made again so often at most: a provider whose machines disagree has no clock to go by.
const PLANS_AGAIN: u8 = 2;

impl Shared {
    /// What the time is, in seconds since the epoch.
    pub(super) fn now(&self) -> i64 {
        (self.local)() + self.ahead()
    }

    /// How far the provider's clock is ahead of this machine's; 0 where they agree.
    fn ahead(&self) -> i64 {
        Some(self.provider.ahead()).filter(|ahead| ahead.abs() > LITTLE).unwrap_or(0)
    }

    /// Plans a series anew where the clock that it was planned by turned out to be wrong; whether it did.
    pub(super) fn plan_again(&self, course: &mut Course, state: &SeriesState) -> bool {
        let (ahead, (planned_by, times)) = (self.ahead(), course.planned_by);
        if (ahead - planned_by).abs() <= LITTLE || times == PLANS_AGAIN {
            return false;
        }
        self.tell(ahead);
        let (class, period) = (course.target.instrument.class, course.target.key.period);
        // How far back a provider reaches may be counted from today. What it served a moment ago it serves still.
        course.limits = self.provider.limits(class, period).unwrap_or(course.limits);
        let plan = self.standing(course, state, |at| plan(at, &course.target.wanted));
        course.windows = plan.windows.into();
        course.out_of_reach = plan.out_of_reach;
        course.planned_by = (ahead, times + 1);
        course.bridged = false;
        true
    }

    /// Says once a job that this machine's clock is wrong.
    fn tell(&self, ahead: i64) {
        if ahead == 0 || self.told.clock.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return;
        }
        let provider = self.provider.name();
        tracing::warn!(job = self.job, provider, "{}", words(provider, ahead));
    }

    /// A series as the planner sees it now.
    pub(super) fn standing<T>(
        &self,
        course: &Course,
        state: &SeriesState,
        look: impl FnOnce(&Standpoint<'_>) -> T,
    ) -> T {
        let now = self.now();
        let (key, limits) = (&course.target.key, course.limits);
        let today = today_of(&state.meta, now);
        let judge = Judge::new(&self.counts, key, &state.meta, today);
        look(&Standpoint { key, state, judge, limits, today, now })
    }
}

/// That this machine's clock is wrong, and what to do.
fn words(provider: &str, ahead: i64) -> String {
    let (seconds, side) = (ahead.abs(), if ahead > 0 { "behind" } else { "ahead of" });
    let (count, unit) =
        if seconds >= 2 * DAY_SECONDS { (seconds / DAY_SECONDS, "days") } else { (seconds / 3600, "hours") };
    format!(
        "this machine's clock is {count} {unit} {side} that of {provider}, which this job goes by; set it, as by `timedatectl set-ntp true`"
    )
}
