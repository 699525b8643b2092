//! What is said of a command line that is wrong, the same for all programs of Vortex.

use clap::error::ErrorKind;

/// What clap says over several paragraphs, with usage and help, as one sentence.
pub(crate) fn sentence(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "the command line says too little; --help lists what there is".to_owned();
    }
    let text = error.render().to_string();
    let mut paragraphs = text.trim_start_matches("error: ").split("\n\n").map(str::trim);
    let said = paragraphs.next().unwrap_or_default();
    let tips = paragraphs.filter_map(|paragraph| paragraph.strip_prefix("tip: "));
    let parts: Vec<String> = std::iter::once(said)
        .chain(tips)
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    parts.join("; ")
}
