/* A module map can't name a header by its system search path, so this file does. */
#include <curl/curl.h>

/*
 * curl_easy_setopt and curl_easy_getinfo take what the option asks for as a variadic argument, which Swift can't pass.
 * One function for each kind of argument does; the caller picks the one that the option's documentation names.
 */

static inline CURLcode shippy_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode shippy_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

/* libcurl copies the text. NULL takes the option back. */
static inline CURLcode shippy_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

/* For memory that must outlive the transfer: lists, buffers and what callbacks are given. */
static inline CURLcode shippy_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

typedef size_t (*shippy_curl_read)(char *buffer, size_t size, size_t count, void *context);
static inline CURLcode shippy_curl_set_read(CURL *handle, shippy_curl_read function) {
    return curl_easy_setopt(handle, CURLOPT_READFUNCTION, function);
}

typedef size_t (*shippy_curl_write)(char *buffer, size_t size, size_t count, void *context);
static inline CURLcode shippy_curl_set_write(CURL *handle, shippy_curl_write function) {
    return curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, function);
}

typedef int (*shippy_curl_debug)(CURL *handle, curl_infotype kind, char *data, size_t size, void *context);
static inline CURLcode shippy_curl_set_debug(CURL *handle, shippy_curl_debug function) {
    return curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, function);
}

typedef int (*shippy_curl_progress)(
    void *context, curl_off_t down_total, curl_off_t down_now, curl_off_t up_total, curl_off_t up_now);
static inline CURLcode shippy_curl_set_progress(CURL *handle, shippy_curl_progress function) {
    return curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, function);
}

/* 0 where there is none. */
static inline long shippy_curl_get_long(CURL *handle, CURLINFO info) {
    long value = 0;
    return curl_easy_getinfo(handle, info, &value) == CURLE_OK ? value : 0;
}

/* The same for infos of type curl_off_t. */
static inline curl_off_t shippy_curl_get_offset(CURL *handle, CURLINFO info) {
    curl_off_t value = 0;
    return curl_easy_getinfo(handle, info, &value) == CURLE_OK ? value : 0;
}

/* The socket of the connection that is kept; -1 where there is none. */
static inline int shippy_curl_active_socket(CURL *handle) {
    curl_socket_t value = CURL_SOCKET_BAD;
    return curl_easy_getinfo(handle, CURLINFO_ACTIVESOCKET, &value) == CURLE_OK ? (int)value : -1;
}

/* CURL_GLOBAL_DEFAULT is an expression, which Swift does not import. */
static inline CURLcode shippy_curl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
