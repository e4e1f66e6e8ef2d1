/* Faults of the system, for one process and on demand: what LD_PRELOAD puts before libc. It touches only files in one
 * directory (SEGUE_FAULTS_DIR), does as a plan says (SEGUE_FAULTS_PLAN, mapped, so that a test changes it while the
 * process runs), and writes down in order what happened (SEGUE_FAULTS_RECORD).
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

/* One unit: no name but those of libc shall be seen by the process. */
#include "plan.h"
#include "record.h"
#include "disk.h"
#include "sockets.h"
#include "streams.h"
#include "files.h"
#include "memory.h"
#include "clock.h"
