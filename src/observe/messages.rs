//! Events with a name: in the journal each carries its MESSAGE_ID, and `journalctl -x` explains it
//! (systemd.journal-fields(7), the catalogue). An event gets its id by its name: `info!(name: messages::X, …)`.

/// A kind of event.
#[derive(Debug)]
pub struct Message {
    /// The name in code.
    pub name: &'static str,
    /// The MESSAGE_ID: 128 bits in hex, made once at random, never changed.
    pub id: &'static str,
    /// One line, for the catalogue.
    pub subject: &'static str,
    /// What happened and what to do.
    pub explanation: &'static str,
}

/// The service can be used.
pub const STARTED: &str = "service-started";
/// The service ends.
pub const STOPPING: &str = "service-stopping";
/// A job's turn has come.
pub const JOB_BEGINS: &str = "job-begins";
/// A job is over.
pub const JOB_FINISHED: &str = "job-finished";
/// A job could not be done at all.
pub const JOB_FAILED: &str = "job-failed";
/// A series came out badly.
pub const SERIES_REFUSED: &str = "series-refused";
/// A provider wants to be left alone.
pub const PROVIDER_LIMITED: &str = "provider-limited";
/// No network.
pub const OFFLINE: &str = "offline";
/// Another process writes the archive.
pub const ARCHIVE_BUSY: &str = "archive-busy";
/// A changed configuration is wrong.
pub const CONFIGURATION_REFUSED: &str = "configuration-refused";

/// A file that a person put into the watched folder cannot be taken.
pub const IMPORT_REFUSED: &str = "import-refused";

/// All of them.
pub const MESSAGES: &[Message] = &[
    Message {
        name: STARTED,
        id: "5d1a6d5b0f1a4c0d9a3b6a8f6e21c7b4",
        subject: "Vortex serves its archive",
        explanation: "The archive is open and the service answers. `vortexctl status` shows it.",
    },
    Message {
        name: STOPPING,
        id: "c2f0b9b7d84e4be2a75d0c3c1d6e9f58",
        subject: "Vortex stops",
        explanation: "The job at work ends at its next commit; the next start goes on with it. Nothing is lost.",
    },
    Message {
        name: JOB_BEGINS,
        id: "8e4b7f6a2c9d4d51b0e3f7a9c5d81e26",
        subject: "Job @VORTEX_JOB@ begins",
        explanation: "Series are brought up to date. `vortexctl job @VORTEX_JOB@` shows how far it is.",
    },
    Message {
        name: JOB_FINISHED,
        id: "1b7c3e9d5f804a6c8d2e4b6f0a9c7d35",
        subject: "Job @VORTEX_JOB@ ended: @VORTEX_RESULT@",
        explanation: "`done`: all series are up to date. `partial`: some are not. `limited`: the rest is left for later.\n`vortexctl series --state late,failed,suspect,held` lists what needs a look.",
    },
    Message {
        name: JOB_FAILED,
        id: "f3d95a0e7b1c4862a4c8e0d6b2f71954",
        subject: "Job @VORTEX_JOB@ failed",
        explanation: "Nothing of it was done, or it was cut off. What was stored stays. The message says why;\nonce that is mended, `vortexctl update` does it again.",
    },
    Message {
        name: SERIES_REFUSED,
        id: "6a9e2d4c8b0f4173952c7e1d3f5b8a60",
        subject: "@VORTEX_SYMBOL@ @VORTEX_PERIOD@ of @VORTEX_PROVIDER@: @VORTEX_RESULT@",
        explanation: "The series could not be brought up to date; what is stored of it is as it was.\n`failed`: the provider refused it. `suspect`: its price scale could not be confirmed, or a file is damaged\n(`vortex validate --fix`). `held`: it was reverted, `vortex download --force` lets it go on.",
    },
    Message {
        name: PROVIDER_LIMITED,
        id: "b84f1c6e3a7d4f92860b5d9e2c4a1f73",
        subject: "@VORTEX_PROVIDER@ wants to be left alone",
        explanation: "It is asked again after its cool-down; the rest of the job is left for later. Nothing needs to be done.\n`vortexctl providers` says until when, `vortexctl reset PROVIDER` forgets it.",
    },
    Message {
        name: OFFLINE,
        id: "2c5e8a1f9d3b4e07a6f4c0b7d8e91352",
        subject: "Vortex waits for the network",
        explanation: "There is no route, or the provider's name has no address. The job goes on by itself once there is.",
    },
    Message {
        name: ARCHIVE_BUSY,
        id: "97d0f3b5c6e24a18b9a1d7e4f2c85063",
        subject: "Vortex waits for the archive",
        explanation: "Another process writes it, such as `vortex download`. The job goes on when that is done.",
    },
    Message {
        name: CONFIGURATION_REFUSED,
        id: "e16b4d8c0f7a4c359d8e2a6b5c3f9017",
        subject: "Vortex refuses its changed configuration",
        explanation: "The one before stays in force. The message names file, line, key and value;\n`vortex config --show` checks it, `vortexctl reload` has it read again.",
    },
    Message {
        name: IMPORT_REFUSED,
        id: "e913df5789e4424baf0d42c8fea46421",
        subject: "A file of the watched folder is not imported",
        explanation: "Nothing of it was taken, and it stays where it is. The message says why; `vortex import --dry-run FILE`\nsays it again. A new version of the file is tried by itself.",
    },
];

/// The MESSAGE_ID of an event's name.
pub fn id_of(name: &str) -> Option<&'static str> {
    MESSAGES.iter().find(|message| message.name == name).map(|message| message.id)
}

/// The journal's message catalogue, as it is installed.
pub fn catalogue() -> String {
    let entry = |message: &Message| {
        format!(
            "-- {}\nSubject: {}\nDefined-By: Vortex\nSupport: man:vortex.service(8)\n\n{}\n",
            message.id, message.subject, message.explanation
        )
    };
    MESSAGES.iter().map(entry).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_catalogue_is_that_of_the_table() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/catalog/vortex.catalog");
        if std::env::var_os("VORTEX_WRITE").is_some() {
            std::fs::write(file, catalogue()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), catalogue(), "VORTEX_WRITE=1 writes it");
    }

    #[test]
    fn ids_are_128_bits_and_unique() {
        let mut ids: Vec<&str> = MESSAGES.iter().map(|message| message.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), MESSAGES.len());
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
