//! Where the private peer-to-peer socket lies, which serves where there is no bus.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the address, for service and client.
pub const VARIABLE: &str = "VORTEX_BUS_ADDRESS";

/// The socket's name in its folder.
const SOCKET: &str = "bus";

/// Where the socket may lie, first choice first: `$XDG_RUNTIME_DIR/vortex/bus`, `/run/vortex/bus`,
/// `/tmp/vortex-<uid>/bus`. The folder is made 0700 by the service and belongs to the user; the
/// client trusts no other.
pub fn private_sockets(variable: impl Fn(&str) -> Option<OsString>, uid: u32) -> Vec<PathBuf> {
    let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let folders = runtime
        .map(|runtime| runtime.join("vortex"))
        .into_iter()
        .chain([PathBuf::from("/run/vortex"), PathBuf::from(format!("/tmp/vortex-{uid}"))]);
    folders.map(|folder| folder.join(SOCKET)).collect()
}

/// The D-Bus address of a socket. Bytes that an address may not hold are escaped (D-Bus
/// specification, "Server Addresses").
pub fn of_socket(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut address = "unix:path=".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_/.\\*".contains(byte) {
            address.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(address, "%{byte:02x}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_folder_comes_first() {
        let set = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| OsString::from("/run/user/7"));
        let sockets = private_sockets(set, 7);
        assert_eq!(sockets[0], Path::new("/run/user/7/vortex/bus"));
        assert_eq!(sockets[2], Path::new("/tmp/vortex-7/bus"));
        assert_eq!(private_sockets(|_| None, 7).len(), 2);
    }

    #[test]
    fn an_address_is_escaped() {
        assert_eq!(of_socket(Path::new("/tmp/a b/bus")), "unix:path=/tmp/a%20b/bus");
    }
}
