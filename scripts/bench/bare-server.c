/*
 * The least that can serve files through FUSE: what its speed is beside ours is what we add, and what it cannot do
 * the kernel does not allow. Every file is served flat under its own name; nothing but preadv and writev happens.
 * Or, given one file of answers that fast-path/replies.ts has written, a tree is served: every answer to whoever
 * walks through it lies in memory.
 *
 *     cc -O2 -pthread -o bare-server bare-server.c && ./bare-server THREADS MOUNT-POINT FILE...|ANSWERS.replies
 *
 * Linux, as root; ends when it is unmounted. Protocol: include/uapi/linux/fuse.h, version 7.31.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FILES 64
#define MAX_READ (1u << 20)       /* bytes; the kernel's usual limit, fs.fuse.max_pages_limit = 256 */
#define REQUEST_SIZE (128u << 10) /* bytes; more than any request of a reader */
#define READAHEAD 8192            /* KiB; INIT can only lower it below the kernel's 128 */
#define LONG 86400                /* seconds that the kernel may keep names and attributes */

static struct file {
  int descriptor;
  const char *name;
  struct stat status;
} files[MAX_FILES];
static unsigned fileCount;

/* An answer in the file of them, and its place in a table by opcode, node and offset. */
struct reply {
  uint64_t opcode, node, offset, length;
  char bytes[];
};
#define REPLY_PLACES (1u << 20)
static const struct reply *replies[REPLY_PLACES];
static int hasReplies;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void answer(int device, uint64_t unique, int error, void *body, size_t length) {
  struct fuse_out_header header = {sizeof header + length, error, unique};
  struct iovec parts[] = {{&header, sizeof header}, {body, length}};
  if (writev(device, parts, length > 0 ? 2 : 1) < 0 && errno != ENOENT && errno != ENODEV) die("answer");
}

static const struct reply **placeOf(uint64_t opcode, uint64_t node, uint64_t offset) {
  uint64_t place = (node * 0x9e3779b97f4a7c15u ^ offset * 0xc2b2ae3d27d4eb4fu ^ opcode << 40) >> 20;
  for (;; place++) {
    const struct reply **at = &replies[place % REPLY_PLACES];
    if (*at == NULL || ((*at)->opcode == opcode && (*at)->node == node && (*at)->offset == offset)) return at;
  }
}

static void loadReplies(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) < 0) die(path);
  char *bytes = malloc(status.st_size);
  for (ssize_t done = 0, part; done < status.st_size; done += part)
    if ((part = pread(file, bytes + done, status.st_size - done, done)) <= 0) die(path);
  for (char *at = bytes; at < bytes + status.st_size;) {
    struct reply *reply = (void *)at;
    *placeOf(reply->opcode, reply->node, reply->offset) = reply;
    at += sizeof *reply + reply->length;
  }
  close(file);
  hasReplies = 1;
}

/* From the file of answers: whether it is for that to answer. */
static int replay(int device, struct fuse_in_header *header, struct fuse_read_in *asked) {
  int isListing = header->opcode == FUSE_READDIRPLUS;
  const struct reply *found = *placeOf(header->opcode, header->nodeid, isListing ? asked->offset : 0);
  if (found != NULL) answer(device, header->unique, 0, (void *)found->bytes, found->length);
  else if (header->opcode == FUSE_OPENDIR) answer(device, header->unique, -ENOSYS, NULL, 0);
  return found != NULL || header->opcode == FUSE_OPENDIR;
}

/* Node 1 is the folder, node 2 + n is file n. */
static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr folder = {.ino = node, .mode = S_IFDIR | 0555, .nlink = 2, .blksize = 4096};
  if (node == FUSE_ROOT_ID) return folder;
  struct stat *status = &files[node - 2].status;
  return (struct fuse_attr){
      .ino = node, .mode = S_IFREG | 0444, .nlink = 1, .blksize = 4096,
      .size = status->st_size, .blocks = status->st_blocks, .mtime = status->st_mtime};
}

static void initialise(int device, uint64_t unique, struct fuse_init_in *asked) {
  struct fuse_init_out out = {
      .major = FUSE_KERNEL_VERSION, .minor = 31,
      .max_readahead = asked->max_readahead, .max_write = 4096, .max_pages = MAX_READ / 4096,
      .max_background = 64, .congestion_threshold = 48, .time_gran = 1,
      .flags = asked->flags & (FUSE_ASYNC_READ | FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS |
                               (hasReplies ? FUSE_DO_READDIRPLUS | FUSE_NO_OPENDIR_SUPPORT | FUSE_CACHE_SYMLINKS : 0))};
  answer(device, unique, 0, &out, sizeof out);
}

static void lookUp(int device, uint64_t unique, const char *name) {
  for (unsigned i = 0; i < fileCount; i++) {
    if (strcmp(files[i].name, name) != 0) continue;
    struct fuse_entry_out out = {.nodeid = i + 2, .entry_valid = LONG, .attr_valid = LONG, .attr = attributes(i + 2)};
    answer(device, unique, 0, &out, sizeof out);
    return;
  }
  answer(device, unique, -ENOENT, NULL, 0);
}

static void readFile(int device, struct fuse_in_header *header, struct fuse_read_in *asked, void *buffer) {
  ssize_t length = pread(files[header->nodeid - 2].descriptor, buffer, asked->size, asked->offset);
  answer(device, header->unique, length < 0 ? -errno : 0, buffer, length < 0 ? 0 : length);
}

static void *serve(void *argument) {
  int device = (int)(intptr_t)argument;
  char *request = aligned_alloc(4096, REQUEST_SIZE), *buffer = aligned_alloc(4096, MAX_READ);
  for (;;) {
    if (read(device, request, REQUEST_SIZE) < 0) {
      if (errno == EINTR || errno == ENOENT || errno == EAGAIN) continue;
      if (errno == ENODEV) exit(0);
      die("request");
    }
    struct fuse_in_header *header = (void *)request;
    void *body = header + 1;
    uint64_t unique = header->unique;
    if (hasReplies && replay(device, header, body)) continue;
    switch (header->opcode) {
      case FUSE_INIT: initialise(device, unique, body); break;
      case FUSE_LOOKUP: lookUp(device, unique, body); break;
      case FUSE_GETATTR: {
        struct fuse_attr_out out = {.attr_valid = LONG, .attr = attributes(header->nodeid)};
        answer(device, unique, 0, &out, sizeof out);
        break;
      }
      case FUSE_OPEN:
      case FUSE_OPENDIR: {
        struct fuse_open_out out = {.open_flags = header->opcode == FUSE_OPEN ? FOPEN_KEEP_CACHE : 0};
        answer(device, unique, 0, &out, sizeof out);
        break;
      }
      case FUSE_READ: readFile(device, header, body, buffer); break;
      case FUSE_READDIR: /* an empty list; files are found by name */
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR:
      case FUSE_DESTROY: answer(device, unique, 0, NULL, 0); break;
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT: break; /* these have no answer */
      default: answer(device, unique, -ENOSYS, NULL, 0);
    }
  }
}

/* Files that are opened from now on are read ahead far. */
static void readAhead(const char *mountPoint) {
  struct stat status;
  char path[64];
  if (stat(mountPoint, &status) < 0) die(mountPoint);
  snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major(status.st_dev), minor(status.st_dev));
  FILE *setting = fopen(path, "w");
  if (setting == NULL || fprintf(setting, "%d", READAHEAD) < 0 || fclose(setting) != 0) die(path);
}

int main(int count, char **arguments) {
  if (count < 4 || count > 3 + MAX_FILES) {
    fprintf(stderr, "usage: %s THREADS MOUNT-POINT FILE...\n", arguments[0]);
    return 64;
  }
  const char *ending = strrchr(arguments[3], '.');
  if (ending != NULL && strcmp(ending, ".replies") == 0) loadReplies(arguments[3]);
  for (fileCount = 0; fileCount < (unsigned)count - 3 && !hasReplies; fileCount++) {
    struct file *file = &files[fileCount];
    file->descriptor = open(arguments[fileCount + 3], O_RDONLY | O_CLOEXEC);
    if (file->descriptor < 0 || fstat(file->descriptor, &file->status) < 0) die(arguments[fileCount + 3]);
    file->name = basename(arguments[fileCount + 3]);
  }
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) die("/dev/fuse");
  char options[96];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
  if (mount("bare-server", arguments[2], "fuse.bare-server", MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0) die("mount");

  pthread_t thread;
  for (int i = 0; i < atoi(arguments[1]); i++) {
    uint32_t original = device;
    int clone = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (clone < 0 || ioctl(clone, FUSE_DEV_IOC_CLONE, &original) < 0) die("clone");
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)clone) != 0) die("thread");
  }
  readAhead(arguments[2]);
  pthread_join(thread, NULL);
}
