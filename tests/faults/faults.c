/* Stands between a program and the C library and watches what it changes below one folder. Loaded with
 * LD_PRELOAD, told what to do by the environment:
 *
 *   FAULTS_ROOT   the folder; nothing outside of it is looked at
 *   FAULTS_LOG    every change is appended to this file, with its bytes (the format is at `note`)
 *   FAULTS_FAIL   N:ERRNO or N:ERRNO:for-good - the Nth change (from 0) fails, or all from it on;
 *                 a write that runs out of space writes its first half before
 *   FAULTS_READ   N:ERRNO - the Nth opening or reading of a file that is there (from 0) fails; they are in the log then
 *   FAULTS_KILL   N - the program is killed (SIGKILL) when it is about to make the Nth change
 *   FAULTS_NETWORK  set: every file system says that it is NFS
 *   FAULTS_COUNT  how many changes there were is written to this file when the program ends
 *
 * Mapped memory is not watched: SQLite maps its index of the log, which no crash needs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int log_to = -1;
static long fail_at = -1, kill_at = -1, seen;
static int fail_with, fail_for_good;
static int reads_watched, read_with;
static long read_at, reads_seen;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULTS_ROOT"), *log = getenv("FAULTS_LOG"), *fail = getenv("FAULTS_FAIL");
    const char *killed = getenv("FAULTS_KILL"), *reads = getenv("FAULTS_READ");
    if (!folder) return;
    root_length = strlen(folder);
    if (root_length >= sizeof root) abort();
    memcpy(root, folder, root_length + 1);
    if (log) log_to = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (killed) kill_at = strtol(killed, NULL, 10);
    if (reads) {
        char *rest;
        reads_watched = 1;
        read_at = strtol(reads, &rest, 10);
        read_with = (int)strtol(rest + 1, NULL, 10);
    }
    if (fail) {
        char *rest;
        fail_at = strtol(fail, &rest, 10);
        fail_with = *rest == ':' ? (int)strtol(rest + 1, &rest, 10) : EIO;
        fail_for_good = *rest == ':';
    }
}

__attribute__((destructor)) static void end(void) {
    const char *count = getenv("FAULTS_COUNT");
    if (!count || !root_length) return;
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", seen);
    int to = syscall(SYS_openat, AT_FDCWD, count, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (to >= 0 && syscall(SYS_write, to, text, length) == length) close(to);
}

static int inside(const char *path) {
    return root_length && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

/* The absolute name of a path that is given beside a folder. */
static int name_at(int folder, const char *path, char *name) {
    if (path[0] == '/') return snprintf(name, PATH_MAX, "%s", path) < PATH_MAX;
    char link[64], base[PATH_MAX];
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length < 0) return 0;
    base[length] = 0;
    return snprintf(name, PATH_MAX, "%s/%s", base, path) < PATH_MAX;
}

/* Whether an open file lies inside; its name and number. */
static int watched(int fd, char *name, uint64_t *number) {
    if (!root_length) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, PATH_MAX - 1);
    if (length < 0) return 0;
    name[length] = 0;
    struct stat of;
    if (!inside(name) || fstat(fd, &of)) return 0;
    *number = of.st_ino;
    return 1;
}

/* One record: kind, number of the file, offset or length, then the lengths of name, second name and bytes
 * (each number eight little-endian bytes), then these three. */
static void note(char kind, uint64_t number, uint64_t at, const char *name, const char *other, const void *bytes,
                 uint64_t count) {
    if (log_to < 0) return;
    uint64_t head[6] = {(uint64_t)kind, number, at, strlen(name), strlen(other), count};
    struct iovec parts[4] = {
        {head, sizeof head}, {(void *)name, head[3]}, {(void *)other, head[4]}, {(void *)bytes, count}};
    ssize_t whole = sizeof head + head[3] + head[4] + count;
    if (syscall(SYS_writev, log_to, parts, 4) != whole) abort();
}

/* Whether this change is to fail; errno is set then. */
static int fails(void) {
    long now = seen++;
    if (now == kill_at) kill(getpid(), SIGKILL);
    int hit = fail_at >= 0 && (now == fail_at || (fail_for_good && now > fail_at));
    if (hit) errno = fail_with;
    return hit;
}

/* Whether this opening (O) or reading (I) of a file is to fail; errno is set then. */
static int unreadable(char kind, const char *name) {
    pthread_mutex_lock(&lock);
    int hit = reads_seen++ == read_at;
    note(hit ? kind | 0x20 : kind, 0, 0, name, "", "", 0);
    pthread_mutex_unlock(&lock);
    if (hit) errno = read_with;
    return hit;
}

/* Opening: C is a file that was made, T one that was emptied. */
static int opened(int folder, const char *path, int flags, mode_t mode) {
    char name[PATH_MAX];
    struct stat found;
    if (reads_watched && root_length && name_at(folder, path, name) && inside(name) && stat(name, &found) == 0 &&
        S_ISREG(found.st_mode) && unreadable('O', name))
        return -1;
    if (!root_length || !(flags & (O_CREAT | O_TRUNC)) || !name_at(folder, path, name) || !inside(name))
        return syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat of;
    int there = stat(name, &of) == 0;
    int fd = -1;
    if ((there && !(flags & O_TRUNC)) || !fails()) fd = syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0 && (!there || (flags & O_TRUNC)) && fstat(fd, &of) == 0)
        note(there ? 'T' : 'C', of.st_ino, 0, name, "", "", 0);
    int said = errno;
    pthread_mutex_unlock(&lock);
    errno = said;
    return fd;
}

#define MODE(flags) ({ mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } mode; })
int open(const char *path, int flags, ...) { return opened(AT_FDCWD, path, flags, MODE(flags)); }
int open64(const char *path, int flags, ...) { return opened(AT_FDCWD, path, flags, MODE(flags)); }
int openat(int folder, const char *path, int flags, ...) { return opened(folder, path, flags, MODE(flags)); }
int openat64(int folder, const char *path, int flags, ...) { return opened(folder, path, flags, MODE(flags)); }

/* Reading. */
static int may_read(int fd) {
    char name[PATH_MAX];
    uint64_t number;
    return !reads_watched || !watched(fd, name, &number) || !unreadable('I', name);
}

ssize_t read(int fd, void *bytes, size_t count) { return may_read(fd) ? syscall(SYS_read, fd, bytes, count) : -1; }
ssize_t pread(int fd, void *bytes, size_t count, off_t at) { return may_read(fd) ? syscall(SYS_pread64, fd, bytes, count, at) : -1; }
ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) { return pread(fd, bytes, count, at); }
ssize_t readv(int fd, const struct iovec *parts, int count) { return may_read(fd) ? syscall(SYS_readv, fd, parts, count) : -1; }

/* Writing: W with the place and the bytes. */
static ssize_t written(int fd, const void *bytes, size_t count, off_t at, int placed) {
    char name[PATH_MAX];
    uint64_t number;
    if (!watched(fd, name, &number)) return placed ? syscall(SYS_pwrite64, fd, bytes, count, at) : syscall(SYS_write, fd, bytes, count);
    pthread_mutex_lock(&lock);
    int failing = fails();
    int said = errno;
    ssize_t done = -1;
    /* A disk that fills up takes what it still can. */
    size_t fit = failing ? ((said == ENOSPC || said == EDQUOT) && count > 1 ? count / 2 : 0) : count;
    if (fit) {
        if (!placed) at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
        done = placed ? syscall(SYS_pwrite64, fd, bytes, fit, at) : syscall(SYS_write, fd, bytes, fit);
        if (done > 0) note('W', number, at, name, "", bytes, done);
        said = errno;
        /* What did not fit fails when it is tried. */
        if (failing && !fail_for_good) fail_at = seen;
    }
    pthread_mutex_unlock(&lock);
    errno = said;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t count) { return written(fd, bytes, count, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return written(fd, bytes, count, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return written(fd, bytes, count, at, 1); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
    char name[PATH_MAX];
    uint64_t number;
    if (!watched(fd, name, &number)) return syscall(SYS_writev, fd, parts, count);
    /* A short write is one: the rest is asked for again. */
    for (int part = 0; part < count; part++)
        if (parts[part].iov_len) return written(fd, parts[part].iov_base, parts[part].iov_len, 0, 0);
    return 0;
}

/* Copying within the kernel is refused, so that programs write what they copy. */
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *place, size_t count, unsigned flags) {
    char name[PATH_MAX];
    uint64_t number;
    if (watched(to, name, &number)) { errno = EXDEV; return -1; }
    return syscall(SYS_copy_file_range, from, at, to, place, count, flags);
}

ssize_t sendfile(int to, int from, off_t *at, size_t count) {
    char name[PATH_MAX];
    uint64_t number;
    if (watched(to, name, &number)) { errno = EINVAL; return -1; }
    return syscall(SYS_sendfile, to, from, at, count);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t count) { return sendfile(to, from, at, count); }

/* A call that changes something and gives 0: kind, number, place and names are noted; one that was made to
 * fail with its kind as a small letter. */
#define CHANGE(kind, number, at, name, other, call) ({ \
        pthread_mutex_lock(&lock); \
        int failing = fails(), done = failing ? -1 : (int)(call); \
        int said = errno; \
        if (done == 0 || failing) note(failing ? (kind) | 0x20 : kind, number, at, name, other, "", 0); \
        pthread_mutex_unlock(&lock); \
        errno = said; \
        done; })

static int shortened(int fd, off_t length) {
    char name[PATH_MAX];
    uint64_t number;
    if (!watched(fd, name, &number)) return syscall(SYS_ftruncate, fd, length);
    return CHANGE('L', number, length, name, "", syscall(SYS_ftruncate, fd, length));
}
int ftruncate(int fd, off_t length) { return shortened(fd, length); }
int ftruncate64(int fd, off64_t length) { return shortened(fd, length); }

static int synced(int fd, long call) {
    char name[PATH_MAX];
    uint64_t number;
    if (!watched(fd, name, &number)) return syscall(call, fd);
    return CHANGE('S', number, 0, name, "", syscall(call, fd));
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int renamed(int from, const char *old, int to, const char *new, unsigned flags) {
    char name[PATH_MAX], other[PATH_MAX];
    if (!root_length || !name_at(from, old, name) || !name_at(to, new, other) || !inside(name))
        return syscall(SYS_renameat2, from, old, to, new, flags);
    return CHANGE('R', 0, 0, name, other, syscall(SYS_renameat2, from, old, to, new, flags));
}
int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return renamed(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) { return renamed(from, old, to, new, flags); }

static int removed(int folder, const char *path, int flags) {
    char name[PATH_MAX];
    if (!root_length || !name_at(folder, path, name) || !inside(name)) return syscall(SYS_unlinkat, folder, path, flags);
    return CHANGE('U', 0, 0, name, "", syscall(SYS_unlinkat, folder, path, flags));
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }

static int made(int folder, const char *path, mode_t mode) {
    char name[PATH_MAX];
    if (!root_length || !name_at(folder, path, name) || !inside(name)) return syscall(SYS_mkdirat, folder, path, mode);
    struct stat of;
    if (stat(name, &of) == 0) { errno = EEXIST; return -1; }
    return CHANGE('M', 0, 0, name, "", syscall(SYS_mkdirat, folder, path, mode));
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return made(folder, path, mode); }

int statfs(const char *path, struct statfs *of) {
    int failed = syscall(SYS_statfs, path, of);
    if (!failed && getenv("FAULTS_NETWORK")) of->f_type = 0x6969;
    return failed;
}
int statfs64(const char *path, struct statfs64 *of) { return statfs(path, (struct statfs *)of); }

/* What nothing uses so far: a change that went unseen would make every result worthless, so it ends the program. */
static void unseen(int in_folder, const char *call) {
    if (in_folder) { dprintf(2, "faults.c does not know %s\n", call); abort(); }
}
static void unseen_to(int fd, const char *call) {
    char name[PATH_MAX];
    uint64_t number;
    unseen(watched(fd, name, &number), call);
}
static void unseen_at(int folder, const char *path, const char *call) {
    char name[PATH_MAX];
    unseen(root_length && name_at(folder, path, name) && inside(name), call);
}
int linkat(int from, const char *old, int to, const char *new, int flags) {
    unseen_at(to, new, "linkat");
    return syscall(SYS_linkat, from, old, to, new, flags);
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }
int symlinkat(const char *what, int folder, const char *path) {
    unseen_at(folder, path, "symlinkat");
    return syscall(SYS_symlinkat, what, folder, path);
}
int symlink(const char *what, const char *path) { return symlinkat(what, AT_FDCWD, path); }
int truncate(const char *path, off_t length) {
    unseen_at(AT_FDCWD, path, "truncate");
    return syscall(SYS_truncate, path, length);
}
int truncate64(const char *path, off64_t length) { return truncate(path, length); }
int fallocate(int fd, int mode, off_t at, off_t length) {
    unseen_to(fd, "fallocate");
    return syscall(SYS_fallocate, fd, mode, at, length);
}
int fallocate64(int fd, int mode, off64_t at, off64_t length) { return fallocate(fd, mode, at, length); }
int posix_fallocate(int fd, off_t at, off_t length) { return fallocate(fd, 0, at, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t at, off64_t length) { return posix_fallocate(fd, at, length); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    unseen_to(fd, "pwritev");
    return syscall(SYS_pwritev, fd, parts, count, at, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return pwritev(fd, parts, count, at); }
int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }
