//! Every file, and every row of it, accounted for.

use std::path::{Path, PathBuf};

use crate::download::Taken;
use crate::escape;
use crate::exit::Exit;
use crate::model::SeriesKey;

/// Why a row is not taken whose bar was not over when the file was made.
pub const UNFINISHED: &str = "of a bar that was not over";

/// What became of one file.
#[derive(Clone, Debug, Default)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What tells it from any other file ([`super::hash`]), once it was read whole.
    pub hash: Option<String>,
    /// The series it is of.
    pub series: Option<SeriesKey>,
    /// How it came out.
    pub outcome: Outcome,
    /// It was refused for the archive's sake: once that is mended the same file is taken.
    pub again: bool,
    /// Its rows.
    pub rows: u64,
    /// Rows that are bars; only where the file was read and nothing stored.
    pub readable: u64,
    /// Rows that are in the archive now and were not before, or with other values.
    pub taken: u64,
    /// Of those: the archive had other values, which are kept as a revision.
    pub corrected: u64,
    /// Rows that were there already.
    pub already: u64,
    /// Rows that were not taken: why, and how many.
    pub refused: Vec<(String, u64)>,
    /// What a person may want to know.
    pub notes: Vec<String>,
}

/// How a file came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It has not had its turn.
    #[default]
    Waiting,
    /// Its rows are in the archive, or are accounted for one by one.
    Imported,
    /// It was not looked into, and why.
    PassedOver(String),
    /// Nothing of it was taken, and why.
    Refused(String),
}

impl Outcome {
    /// One word for tables and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Waiting => "waiting",
            Outcome::Imported => "imported",
            Outcome::PassedOver(_) => "passed over",
            Outcome::Refused(_) => "refused",
        }
    }

    /// The reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Outcome::PassedOver(why) | Outcome::Refused(why) => Some(why),
            Outcome::Waiting | Outcome::Imported => None,
        }
    }
}

impl FileReport {
    /// A file that has not had its turn.
    pub fn new(path: PathBuf) -> FileReport {
        FileReport { path, ..FileReport::default() }
    }

    /// The file as it is told: a name may hold what a terminal takes for commands.
    pub fn shown(&self) -> String {
        shown(&self.path)
    }

    /// It is not looked into.
    pub fn passed_over(&mut self, why: String) {
        self.outcome = Outcome::PassedOver(why);
    }

    /// Nothing of it is taken: every row is refused.
    pub fn refuse(&mut self, why: String) {
        (self.taken, self.corrected, self.already) = (0, 0, 0);
        self.refused = if self.rows > 0 { vec![(why.clone(), self.rows)] } else { Vec::new() };
        self.outcome = Outcome::Refused(why);
    }

    /// Rows that are no bars to take.
    pub fn leave_out(&mut self, why: &str, rows: usize) {
        if rows > 0 {
            self.refused.push((why.to_owned(), rows as u64));
        }
    }

    /// What reading it told.
    pub fn add_reading(&mut self, told: FileReport) {
        self.rows = told.rows;
        self.hash = told.hash;
        self.refused.extend(told.refused);
        self.notes.extend(told.notes);
    }

    /// What storing it gave.
    pub fn take(&mut self, taken: &Taken) {
        self.again = taken.again;
        if let Some(why) = &taken.refused {
            return self.refuse(why.clone());
        }
        self.outcome = Outcome::Imported;
        (self.taken, self.corrected, self.already) = (taken.taken, taken.changed, taken.already);
        self.leave_out("that the archive has otherwise, from later", taken.older as usize);
    }

    /// Rows that were refused.
    pub fn refused_rows(&self) -> u64 {
        self.refused.iter().map(|(_, rows)| rows).sum()
    }
}

/// A path without control characters, each in its escaped form.
pub fn shown(path: &Path) -> String {
    escape::text(&path.to_string_lossy()).into_owned()
}

/// The exit code that files add up to: nothing but refused ones is a failure, some a part.
pub fn exit(files: &[FileReport]) -> Exit {
    let count = |wanted: fn(&Outcome) -> bool| files.iter().filter(|file| wanted(&file.outcome)).count();
    let refused = count(|outcome| matches!(outcome, Outcome::Refused(_)));
    let looked_at = files.len() - count(|outcome| matches!(outcome, Outcome::PassedOver(_)));
    match refused {
        0 => Exit::Done,
        all if all == looked_at => Exit::Failed,
        _ => Exit::Partly,
    }
}
