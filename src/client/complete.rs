//! Words for completion. A service that does not run has none, and is not started for them.

use std::collections::HashMap;
use std::io::Write;

use super::args::Global;
use super::error::{Error, Outcome};
use super::lists::{jobs_of, list_series, providers_of};
use super::print::Paper;
use super::service::Service;
use super::{Context, values::Object};
use crate::exit::Exit;

pub(super) async fn run(global: &Global, what: &str) -> Outcome {
    let words = match Service::find(global).await {
        Ok(service) => {
            let context = Context { global: global.clone(), paper: Paper::new(global), service };
            words(&context, what).await.unwrap_or_default()
        }
        Err(_) => Vec::new(),
    };
    let mut out = std::io::stdout().lock();
    for word in words {
        writeln!(out, "{word}")?;
    }
    Ok(Exit::Done)
}

async fn words(context: &Context, what: &str) -> Result<Vec<String>, Error> {
    let mut words: Vec<String> = match what {
        "jobs" => {
            let objects = context.service.objects().await?;
            jobs_of(&objects).iter().map(|job| job.number("Id").to_string()).collect()
        }
        "providers" => {
            let objects = context.service.objects().await?;
            providers_of(&objects).iter().map(|provider| provider.text("Name").to_owned()).collect()
        }
        "series" => {
            let rows = list_series(context, &HashMap::new()).await?;
            let object = |row| Object::new(String::new(), String::new(), row);
            rows.into_iter().map(|row| object(row).text("symbol").to_owned()).collect()
        }
        _ => Vec::new(),
    };
    words.sort();
    words.dedup();
    // A word with a line break in it could not be told from two.
    words.retain(|word| !word.chars().any(char::is_control));
    Ok(words)
}
