//! What is wrong with a configuration, in words that name the place and what is allowed.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A file with its line, a variable or an option.
    pub place: String,
    /// What is wrong there and what to do.
    pub said: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(place: impl Into<String>, said: impl Into<String>) -> Problem {
        Problem { place: place.into(), said: said.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.said)
    }
}

/// All that is wrong with a configuration; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// In the order of the layers.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// These problems.
    pub fn new(problems: Vec<Problem>) -> ConfigError {
        ConfigError { problems }
    }

    /// One problem.
    pub fn one(place: impl Into<String>, said: impl Into<String>) -> ConfigError {
        ConfigError::new(vec![Problem::new(place, said)])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "{only}"),
            several => {
                write!(f, "{} things are wrong with the configuration", several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}
