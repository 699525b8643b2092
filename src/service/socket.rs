//! The private socket: peers speak to the service with no bus between, as in a container.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::Uid;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zbus::Guid;
use zbus::connection::Builder;

use super::access::Door;
use super::engine::Engine;
use super::link;
use crate::bus::{Error, address};

/// More peers at once than this wait for a place.
const MOST_PEERS: usize = 64;

/// A socket that takes peers in; its file goes with it.
#[derive(Debug)]
pub(super) struct PrivateSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl PrivateSocket {
    /// Listens at the address that is named, else at the first place where that is possible.
    pub(super) fn open() -> io::Result<PrivateSocket> {
        if let Some(named) = std::env::var_os(address::VARIABLE).filter(|named| !named.is_empty()) {
            let named = named.to_string_lossy();
            let path = named.strip_prefix("unix:path=").ok_or_else(|| {
                io::Error::other(format!("{}={named} is not of the form unix:path=FILE", address::VARIABLE))
            })?;
            return listen(Path::new(path));
        }
        let mut said = Vec::new();
        for path in address::private_sockets(|name| std::env::var_os(name), Uid::effective().as_raw()) {
            match listen(&path) {
                Ok(socket) => return Ok(socket),
                // A second service in another place would only be found by accident.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                Err(error) => said.push(format!("{}: {error}", path.display())),
            }
        }
        Err(io::Error::other(said.join("; ")))
    }

    /// The D-Bus address.
    pub(super) fn address(&self) -> String {
        address::of_socket(&self.path)
    }

    /// Takes peers in, for ever.
    pub(super) async fn serve(self, engine: Arc<Engine>) {
        let places = Arc::new(Semaphore::new(MOST_PEERS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let engine = Arc::clone(&engine);
                    tokio::spawn(async move {
                        if let Err(error) = peer(stream, &engine).await {
                            tracing::debug!("a peer was not taken in: {error}");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!("the private socket takes nobody in: {error}");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for PrivateSocket {
    fn drop(&mut self) {
        // Where it cannot be removed the next start takes its place.
        let _ = fs::remove_file(&self.path);
    }
}

async fn peer(stream: UnixStream, engine: &Arc<Engine>) -> Result<(), Error> {
    let uid = stream.peer_cred().map_err(zbus::Error::from)?.uid();
    if uid != 0 && uid != Uid::effective().as_raw() {
        return Err(Error::NotAuthorized(format!("user {uid} is not the one the service runs as")));
    }
    let builder =
        Builder::unix_stream(stream.into_std().map_err(zbus::Error::from)?).server(Guid::generate()).p2p();
    let connection = link::serve(builder, engine, Door::Private).await?;
    connection.closed().await;
    Ok(())
}

fn listen(path: &Path) -> io::Result<PrivateSocket> {
    if let Some(folder) = path.parent() {
        own_folder(folder)?;
    }
    if let Ok(other) = std::os::unix::net::UnixStream::connect(path) {
        let who = process(other).map_or_else(String::new, |id| format!(" (process {id})"));
        let said = format!("another service{who} answers at {}; `vortexctl status` shows it", path.display());
        return Err(io::Error::new(io::ErrorKind::AddrInUse, said));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(PrivateSocket { listener, path: path.to_owned() })
}

/// The process at the other end.
fn process(other: std::os::unix::net::UnixStream) -> Option<i32> {
    other.set_nonblocking(true).ok()?;
    UnixStream::from_std(other).ok()?.peer_cred().ok()?.pid()
}

/// Makes the folder, or makes sure that it is ours alone: nobody may put a socket in our place.
fn own_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let about = fs::symlink_metadata(folder)?;
    if !about.is_dir() || about.uid() != Uid::effective().as_raw() {
        return Err(io::Error::other("its folder belongs to somebody else"));
    }
    if about.mode() & 0o022 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}
