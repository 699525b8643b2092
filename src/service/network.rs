//! Waits for the network before a job begins: at boot and after a resume a provider cannot be reached for
//! a while, and trying would only use up its patience.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use crate::observe::messages;

/// How often is looked again.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// The same, once it was in vain for a while.
const LOOK_SELDOM: Duration = Duration::from_secs(30);
/// So many looks come quickly after each other.
const QUICK_LOOKS: u32 = 20;

/// Waits until there is a way out and the host has an address. Says so in the state while it waits.
pub(super) async fn wait(engine: &Arc<Engine>, (host, port): &(String, u16)) {
    let mut looks = 0;
    loop {
        let why = if !has_route() {
            "there is no network".to_owned()
        } else {
            match tokio::net::lookup_host((host.as_str(), *port)).await {
                Ok(_) => return,
                Err(error) => format!("{host} has no address: {error}"),
            }
        };
        if looks == 0 {
            tracing::warn!(name: messages::OFFLINE, "offline: {why}; waiting for the network");
        }
        engine.change(|state| (state.offline, state.waits_for) = (true, Some(format!("offline, {why}"))));
        looks += 1;
        tokio::time::sleep(if looks < QUICK_LOOKS { LOOK_EVERY } else { LOOK_SELDOM }).await;
    }
}

/// Whether any interface but loopback has a route, by the kernel's tables (proc(5), `/proc/net/route`,
/// `/proc/net/ipv6_route`). Where they cannot be read nobody is held up.
fn has_route() -> bool {
    let four = std::fs::read_to_string("/proc/net/route");
    let six = std::fs::read_to_string("/proc/net/ipv6_route");
    match (four, six) {
        (Err(_), Err(_)) => true,
        (four, six) => {
            four.is_ok_and(|table| routes_of_ipv4(&table)) || six.is_ok_and(|table| routes_of_ipv6(&table))
        }
    }
}

/// The first column names the interface; the first line is a header.
fn routes_of_ipv4(table: &str) -> bool {
    table.lines().skip(1).filter_map(|line| line.split_whitespace().next()).any(|name| name != "lo")
}

/// The last column names the interface, the first is the destination: link-local ones lead nowhere.
fn routes_of_ipv6(table: &str) -> bool {
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let leads = |to: &str| !to.starts_with("fe80") && !to.starts_with("ff");
        match (columns.first(), columns.last()) {
            (Some(to), Some(name)) => *name != "lo" && leads(to),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_link_local_are_no_way_out() {
        let header = "Iface\tDestination\tGateway\n";
        assert!(!routes_of_ipv4(header));
        assert!(!routes_of_ipv4(&format!("{header}lo\t0000007F\t0\n")));
        assert!(routes_of_ipv4(&format!("{header}eth0\t00000000\t0102A8C0\n")));
        assert!(!routes_of_ipv6("fe800000 40 0 00 0 0 0 0 00000001 eth0\n"));
        assert!(!routes_of_ipv6("00000000 00 0 00 0 0 0 0 00200200 lo\n"));
        assert!(routes_of_ipv6("00000000 00 0 00 0 0 0 0 00000003 eth0\n"));
    }
}
