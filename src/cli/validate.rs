//! `vortex validate`: check files or the whole archive, and repair what can be repaired.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::archive;
use super::args::{Format, ValidateArgs};
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::providers::archived;
use super::writer::{self, archive_error};
use super::{Context, output};
use crate::archive::Archive;
use crate::archive::verify::{Finding, Severity, verify_path};
use crate::escape;
use crate::model::SeriesKey;

/// Runs the command.
pub(super) fn run(context: &Context, args: &ValidateArgs) -> Outcome {
    if let Some(provider) = &args.provider {
        archived(provider)?;
    }
    let place = place(context, args)?;
    if args.fix && context.config().dry_run {
        tracing::warn!("a dry run: nothing is repaired");
    } else if args.fix {
        repair(context, args, &place)?;
    }
    let findings = match &place {
        Place::Loose(path) => verify_path(path).map_err(archive_error)?,
        Place::Archive(folder) => {
            let root = folder.as_deref().unwrap_or(&context.config().archive);
            let archive = archive::open_to_read(context, root)?;
            let wanted = wanted(args);
            let all = args.provider.is_none();
            let found = archive.verify(if all { None } else { Some(&wanted) }).map_err(archive_error)?;
            within(found, args.path.as_deref().filter(|_| folder.is_none()))
        }
    };
    report(context, args, &findings)
}

/// What is to be checked.
enum Place {
    /// An archive: the configured one, or one in this folder.
    Archive(Option<PathBuf>),
    /// Files that belong to no archive.
    Loose(PathBuf),
}

fn place(context: &Context, args: &ValidateArgs) -> Result<Place, Error> {
    let own = &context.config().archive;
    let Some(path) = &args.path else {
        archive::open(context)?;
        return Ok(Place::Archive(None));
    };
    if !path.exists() {
        let said = format!("--path {}: there is no such file or folder", path.display());
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    let inside =
        path.canonicalize().is_ok_and(|path| own.canonicalize().is_ok_and(|own| path.starts_with(own)));
    Ok(match (Archive::exists(path), inside && Archive::exists(own)) {
        (true, _) => Place::Archive(Some(path.clone())),
        (false, true) => Place::Archive(None),
        (false, false) => Place::Loose(path.clone()),
    })
}

fn wanted(args: &ValidateArgs) -> impl Fn(&SeriesKey) -> bool + '_ {
    |key| args.provider.as_ref().is_none_or(|provider| *provider == key.provider)
}

/// The findings below a path of the archive; all where it is none.
fn within(found: Vec<Finding>, path: Option<&Path>) -> Vec<Finding> {
    let Some(path) = path.and_then(|path| path.canonicalize().ok()) else { return found };
    let below = |finding: &Finding| {
        finding.path.canonicalize().unwrap_or_else(|_| finding.path.clone()).starts_with(&path)
    };
    found.into_iter().filter(below).collect()
}

fn repair(context: &Context, args: &ValidateArgs, place: &Place) -> Result<(), Error> {
    let folder = match place {
        Place::Loose(path) => {
            return Err(Error::usage(format!(
                "--fix needs an archive, and {} belongs to none: nothing says what it should be",
                path.display()
            )));
        }
        Place::Archive(folder) => folder,
    };
    let config = context.config();
    let root = folder.as_deref().unwrap_or(&config.archive);
    let archive = Archive::open(root, &config.state_directory).map_err(archive_error)?;
    let writer = writer::take(&archive, "vortex validate --fix", false)?;
    let wanted = wanted(args);
    for repaired in writer.repair(Some(&wanted)).map_err(archive_error)? {
        // Standard output is for the findings.
        // Nobody may be reading there; the repair is done all the same.
        let said = format!("{}: {}", repaired.path.display(), repaired.repair.words());
        let _ = writeln!(io::stderr(), "{}", escape::text(&said));
    }
    Ok(())
}

fn report(context: &Context, args: &ValidateArgs, findings: &[Finding]) -> Outcome {
    let bad = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let exit = if bad > 0 { Exit::Failed } else { Exit::Done };
    let format = if context.global.json { Format::Json } else { args.format };
    let row = |finding: &Finding| {
        vec![
            severity(finding.severity).to_owned(),
            finding.kind.name().to_owned(),
            finding.path.display().to_string(),
            finding.detail.clone(),
        ]
    };
    let header = ["Severity", "Kind", "File", "Detail"];
    match format {
        Format::Json => output::json(&json!({
            "errors": bad, "warnings": findings.len() - bad,
            "findings": findings.iter().map(|finding| json!({
                "severity": severity(finding.severity), "kind": finding.kind.name(),
                "path": finding.path.display().to_string(), "detail": finding.detail,
            })).collect::<Vec<_>>(),
        }))?,
        Format::Csv => output::csv(&header, &findings.iter().map(row).collect::<Vec<_>>())?,
        Format::Table => {
            let told =
                |finding: &&Finding| args.detailed || (!args.summary && finding.severity == Severity::Error);
            let rows: Vec<_> = findings.iter().filter(told).map(row).collect();
            if !rows.is_empty() {
                output::table(&header, &rows)?;
            }
            output::line(summary(findings, bad, args))?;
        }
    }
    Ok(exit)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn summary(findings: &[Finding], bad: usize, args: &ValidateArgs) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        *kinds.entry(finding.kind.name()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, times)| format!("{times} {kind}")).collect();
    let warnings = findings.len() - bad;
    let more = if warnings > 0 && !args.detailed { "; --detailed lists warnings too" } else { "" };
    match findings.is_empty() {
        true => "clean: no errors, no warnings".to_owned(),
        false => {
            let (bad, warnings) = (count(bad, "error"), count(warnings, "warning"));
            format!("{bad}, {warnings} ({}){more}", kinds.join(", "))
        }
    }
}
