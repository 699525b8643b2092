//! What is said of a command line that is wrong, the same for all programs of Vortex.

use clap::error::ErrorKind;

/// What clap says over several paragraphs, with usage and help, as one sentence.
pub(crate) fn sentence(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "the command line says too little; --help lists what there is".to_owned();
    }
    let text = error.render().to_string();
    let mut sentence = String::new();
    for paragraph in text.trim_start_matches("error: ").split("\n\n").map(str::trim) {
        let part = match paragraph.strip_prefix("tip: ") {
            _ if sentence.is_empty() => paragraph,
            Some(tip) => {
                sentence.push(';');
                tip
            }
            None => continue,
        };
        for word in part.split_whitespace() {
            if !sentence.is_empty() {
                sentence.push(' ');
            }
            sentence.push_str(word);
        }
    }
    sentence
}
