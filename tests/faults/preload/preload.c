/* Makes system calls of one process fail on demand. LD_PRELOAD loads this library before libc.
 *
 * It affects only files in one directory (SEGUE_FAULTS_DIR). It follows a plan (SEGUE_FAULTS_PLAN), which is mapped into
 * memory, so a test can change it while the process runs. It records all events in order (SEGUE_FAULTS_RECORD).
 *
 * Each function calls the kernel itself: no symbol has to be looked up, so that a call works before the loader is done.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* One compilation unit, so that the process sees only the names of libc. */
#include "plan.h"
#include "record.h"
#include "disk.h"
#include "sockets.h"
#include "streams.h"
#include "files.h"
#include "memory.h"
#include "clock.h"
