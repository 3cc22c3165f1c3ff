/* A module map can't name a header by its system search path, so this file does. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
