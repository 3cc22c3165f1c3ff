/* A module map can't name a header by its system search path, so this file does. */
#include <sqlite3.h>
