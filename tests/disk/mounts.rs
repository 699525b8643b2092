//! Disks that are full or read-only: real file systems, mounted where only the test sees them.

use std::process::{Command, Stdio};

use crate::binary::{Home, Ran};
use crate::compare::assert_same;
use crate::{FIRST, SECOND, am_root, sample, undisturbed, until};

/// Runs a shell script in a mount namespace of its own, as root of it.
fn apart(home: &Home, script: &str) -> Ran {
    let mut command = Command::new("unshare");
    command.args(if am_root() { &["--mount"][..] } else { &["--map-root-user", "--mount"] });
    let output = command
        .args(["sh", "-euc", script])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", home.path(""))
        .env("VORTEX", env!("CARGO_BIN_EXE_vortex"))
        .env("VORTEXCTL", env!("CARGO_BIN_EXE_vortexctl"))
        .env("ARCHIVE", home.archive())
        .current_dir(home.path(""))
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Ran::of(output),
        Err(error) => panic!("missing: unshare of util-linux ({error}); run-all-tests.sh installs it"),
    }
}

/// What the parts of a script print is told apart by these lines.
fn part<'a>(ran: &'a Ran, name: &str) -> &'a str {
    let (_, rest) =
        ran.out.split_once(&format!("<{name}>\n")).unwrap_or_else(|| panic!("no {name} in {ran:?}"));
    rest.split_once(&format!("</{name}>")).unwrap_or((rest, "")).0
}

fn download(date: &str) -> String {
    format!("\"$VORTEX\" {}", until(date).join(" "))
}

#[test]
fn a_full_disk_is_named_and_the_next_run_completes_the_archive() {
    let reference = undisturbed();
    // So much room that it ends at different moments: in the catalogue, in the first file, in a later one.
    for room in [0, 16, 64, 128, 200, 256] {
        let home = sample();
        let script = format!(
            r#"
            mkdir -p "$ARCHIVE"
            mount -t tmpfs -o size=4m vortex-test "$ARCHIVE"
            {first} >/dev/null 2>&1
            free=$(df -k --output=avail "$ARCHIVE" | tail -n 1)
            head -c $(((free - {room}) * 1024)) /dev/zero > "$ARCHIVE/filler"
            echo '<full>'
            code=0; {second} 2>&1 || code=$?
            echo "</full>$code"
            echo '<left>'; find "$ARCHIVE/.vortex/tmp" -type f; echo '</left>'
            echo '<reader>'; "$VORTEX" validate 2>&1; "$VORTEX" archive list 2>&1; echo '</reader>'
            rm "$ARCHIVE/filler"
            mount -o remount,size=16m "$ARCHIVE"
            {second} >/dev/null 2>&1
            "$VORTEX" validate
            cp -a "$ARCHIVE" "$HOME/rescued"
            "#,
            first = download(FIRST),
            second = download(SECOND),
        );
        let ran = apart(&home, &script).ends(0).says("clean: no errors, no warnings");
        let said = part(&ran, "full");
        assert!(said.contains("make room there and run it again"), "{room} KiB: {said}");
        assert!(said.contains(home.archive().to_str().unwrap()), "{room} KiB: {said}");
        assert!(ran.out.contains("</full>1") || ran.out.contains("</full>3"), "{room} KiB: {said}");
        assert_eq!(part(&ran, "left"), "", "{room} KiB: {said}");
        assert!(part(&ran, "reader").contains("EURUSD"), "{room} KiB: {}", part(&ran, "reader"));
        assert_same(&reference.archive(), &home.path("rescued"));
    }
}

#[test]
fn a_disk_that_is_full_from_the_start_is_named() {
    let home = sample();
    let script = format!(
        r#"
        mkdir -p "$ARCHIVE"
        mount -t tmpfs -o size=16k vortex-test "$ARCHIVE"
        head -c 16384 /dev/zero > "$ARCHIVE/filler" || true
        {}
        "#,
        download(FIRST)
    );
    apart(&home, &script).ends(1).says("make room there").says(home.archive().to_str().unwrap());
}

/// The service waits for room, and serves once there is some; told to stop meanwhile it ends.
#[test]
fn a_disk_that_is_full_when_the_service_starts_is_waited_for() {
    let script = format!(
        r#"
        mkdir -p "$ARCHIVE"
        mount -t tmpfs -o size=4m vortex-test "$ARCHIVE"
        {first} >/dev/null 2>&1
        head -c 8m /dev/zero > "$ARCHIVE/filler" 2>/dev/null || true
        export XDG_RUNTIME_DIR="$HOME"
        begin() {{
            "$VORTEX" daemon --bus private 2>"$1" &
            service=$!
            until grep 'waiting for room: ' "$1"; do kill -0 $service; sleep 0.1; done
        }}
        begin "$HOME/first"
        kill -TERM $service
        wait $service
        begin "$HOME/second"
        "$VORTEXCTL" ping && exit 9
        rm "$ARCHIVE/filler"
        until "$VORTEXCTL" ping 2>/dev/null; do kill -0 $service; sleep 0.1; done
        "$VORTEXCTL" status
        kill -TERM $service
        wait $service
        "#,
        first = download(FIRST)
    );
    let home = sample();
    let ran = apart(&home, &script).ends(0).says("State: idle");
    assert_eq!(ran.out.matches("make room there").count(), 2, "{ran:?}");
    assert!(ran.out.contains(home.archive().to_str().unwrap()), "{ran:?}");
}

/// A ledger of limits that cannot be made for want of room is not called damaged.
#[test]
fn no_room_for_the_limits_is_named() {
    let home = sample();
    let script = r#"
        mkdir -p "$HOME/.local/state/vortex"
        mount -t tmpfs -o size=64k vortex-test "$HOME/.local/state/vortex"
        head -c 1m /dev/zero > "$HOME/.local/state/vortex/filler" 2>/dev/null || true
        export VORTEX__PROVIDERS__YAHOO__BASE_URL=http://127.0.0.1:1
        "$VORTEX" download -p yahoo -s AAPL
        "#;
    let ran = apart(&home, script).ends(1).says("limits.db").says("make room there");
    assert!(!ran.err.contains("delete"), "{ran:?}");
}

#[test]
fn a_read_only_mount_is_named_and_can_be_read() {
    let reference = undisturbed();
    let home = sample();
    home.expect(0, &until(FIRST));
    let script = format!(
        r#"
        mount --bind "$ARCHIVE" "$ARCHIVE"
        mount -o remount,ro,bind "$ARCHIVE"
        "$VORTEX" validate
        "$VORTEX" archive list
        {second} --dry-run
        {second}
        "#,
        second = download(SECOND)
    );
    let ran = apart(&home, &script).ends(1).says("clean").says("nothing was asked or written");
    assert!(ran.err.contains("mount it for writing"), "{}", ran.err);
    home.expect(0, &until(SECOND));
    assert_same(&reference.archive(), &home.archive());
}

/// btrfs counts in the kernel, without the quota files of other file systems.
#[test]
fn a_quota_that_is_used_up_is_named_and_the_next_run_completes_the_archive() {
    assert!(am_root(), "missing: root, which alone may mount a file system of its own from a file");
    let reference = undisturbed();
    for room in [64, 256, 448] {
        let home = sample();
        let script = format!(
            r#"
            truncate -s 128M disk
            mkfs.btrfs -q disk >/dev/null 2>&1
            mkdir -p mnt "$ARCHIVE"
            mount -o loop disk mnt
            btrfs -q subvolume create mnt/archive
            mount --bind mnt/archive "$ARCHIVE"
            {first} >/dev/null 2>&1
            btrfs quota enable mnt
            btrfs -q quota rescan -w mnt
            used=$(btrfs qgroup show --raw -f --sync mnt/archive | awk 'END {{ print $2 }}')
            btrfs qgroup limit $((used + {room} * 1024)) mnt/archive
            echo '<full>'
            code=0; {second} 2>&1 || code=$?
            echo "</full>$code"
            echo '<reader>'; "$VORTEX" archive list 2>&1; echo '</reader>'
            btrfs qgroup limit none mnt/archive
            {second} >/dev/null 2>&1
            "$VORTEX" validate
            cp -a "$ARCHIVE" "$HOME/rescued"
            "#,
            first = download(FIRST),
            second = download(SECOND),
        );
        let ran = apart(&home, &script).ends(0).says("clean: no errors, no warnings");
        let said = part(&ran, "full");
        assert!(said.contains("quota"), "{room} KiB: {said}");
        assert!(said.contains("run it again"), "{room} KiB: {said}");
        assert!(said.contains(home.archive().to_str().unwrap()), "{room} KiB: {said}");
        assert!(ran.out.contains("</full>1") || ran.out.contains("</full>3"), "{room} KiB: {said}");
        assert!(part(&ran, "reader").contains("EURUSD"), "{room} KiB: {}", part(&ran, "reader"));
        assert_same(&reference.archive(), &home.path("rescued"));
    }
}
