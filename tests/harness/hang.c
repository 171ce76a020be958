/* Preloaded into the server: a drive that holds some of its calls while it answers others. The file $HANG_FILE says which,
   "LETTERS PART": r reads, w writes and syncs, of files whose path holds PART. They hang for as long as it says so. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int held(char letter, const char* path) {
  const char* name = getenv("HANG_FILE");
  /* Not by open() and read(), which may be preloaded too. */
  int file = name == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char words[512];
  long got = syscall(SYS_read, file, words, sizeof words - 1);
  syscall(SYS_close, file);
  if (got <= 0) return 0;
  words[got] = 0;
  char* part = strchr(words, ' ');
  if (part == NULL) return 0;
  *part++ = 0;
  return strchr(words, letter) != NULL && strstr(path, part) != NULL;
}

static void hang(char letter, int descriptor) {
  int before = errno;
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length > 0) {
    path[length] = 0;
    const struct timespec pause = {0, 20000000};
    while (held(letter, path)) nanosleep(&pause, NULL);
  }
  errno = before;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
ssize_t pread(int descriptor, void* to, size_t bytes, off_t at) {
  hang('r', descriptor);
  return REAL(pread)(descriptor, to, bytes, at);
}
ssize_t pread64(int descriptor, void* to, size_t bytes, off64_t at) {
  hang('r', descriptor);
  return REAL(pread64)(descriptor, to, bytes, at);
}
ssize_t pwrite(int descriptor, const void* from, size_t bytes, off_t at) {
  hang('w', descriptor);
  return REAL(pwrite)(descriptor, from, bytes, at);
}
ssize_t pwrite64(int descriptor, const void* from, size_t bytes, off64_t at) {
  hang('w', descriptor);
  return REAL(pwrite64)(descriptor, from, bytes, at);
}
int fsync(int descriptor) {
  hang('w', descriptor);
  return REAL(fsync)(descriptor);
}
int fdatasync(int descriptor) {
  hang('w', descriptor);
  return REAL(fdatasync)(descriptor);
}
