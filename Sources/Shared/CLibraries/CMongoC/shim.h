/* A module map can't name a header by its system search path, so this file does. */
#include <mongoc/mongoc.h>

#include <stdlib.h>

/*
 * bson_t and bson_iter_t are aligned to 128 bytes, which Swift has no way to say: it sees pointers to them as opaque and
 * can't make one. What needs one in place is done here.
 */

/* Memory for a reply that a libmongoc function initializes. NULL without memory. */
static inline bson_t *shippy_reply_new(void) {
    bson_t *reply = (bson_t *)aligned_alloc(128, sizeof(bson_t));
    if (reply) bson_init(reply);
    return reply;
}

static inline void shippy_reply_free(bson_t *reply) {
    bson_destroy(reply);
    free(reply);
}

/* 0 where the field is missing or no number. */
static inline int64_t shippy_bson_int64(const bson_t *document, const char *name) {
    bson_iter_t iterator;
    return bson_iter_init_find(&iterator, document, name) ? bson_iter_as_int64(&iterator) : 0;
}

static inline bool shippy_bson_bool(const bson_t *document, const char *name) {
    bson_iter_t iterator;
    return bson_iter_init_find(&iterator, document, name) && bson_iter_as_bool(&iterator);
}

/* NULL where the field is missing or no text; the text lives as long as the document. */
static inline const char *shippy_bson_utf8(const bson_t *document, const char *name, uint32_t *length) {
    bson_iter_t iterator;
    if (!bson_iter_init_find(&iterator, document, name) || !BSON_ITER_HOLDS_UTF8(&iterator)) return NULL;
    return bson_iter_utf8(&iterator, length);
}

/* NULL where the field is missing or not binary; the bytes live as long as the document. */
static inline const uint8_t *shippy_bson_binary(const bson_t *document, const char *name, uint32_t *length) {
    bson_iter_t iterator;
    bson_subtype_t subtype;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init_find(&iterator, document, name) || !BSON_ITER_HOLDS_BINARY(&iterator)) return NULL;
    bson_iter_binary(&iterator, &subtype, length, &bytes);
    return bytes;
}

/* Lends each document within an array to body; other values are passed over. Nothing where the field is no array. */
static inline void shippy_bson_each_document(
    const bson_t *document, const char *name, void (*body)(void *, const bson_t *), void *context) {
    bson_iter_t iterator, values;
    if (!bson_iter_init_find(&iterator, document, name) || !BSON_ITER_HOLDS_ARRAY(&iterator) ||
        !bson_iter_recurse(&iterator, &values))
        return;
    while (bson_iter_next(&values)) {
        uint32_t length = 0;
        const uint8_t *bytes = NULL;
        bson_t value;
        if (!BSON_ITER_HOLDS_DOCUMENT(&values)) continue;
        bson_iter_document(&values, &length, &bytes);
        if (bson_init_static(&value, bytes, length)) body(context, &value);
    }
}

/* The document's size in bytes. */
static inline uint32_t shippy_bson_size(const bson_t *document) { return document->len; }

/* 0 where the field is missing or no date. Milliseconds since 1970. */
static inline int64_t shippy_bson_date(const bson_t *document, const char *name) {
    bson_iter_t iterator;
    if (!bson_iter_init_find(&iterator, document, name) || !BSON_ITER_HOLDS_DATE_TIME(&iterator)) return 0;
    return bson_iter_date_time(&iterator);
}

/* A copy of a document within a document, to be destroyed. NULL where the field is missing or no document. */
static inline bson_t *shippy_bson_document_copy(const bson_t *document, const char *name) {
    bson_iter_t iterator;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init_find(&iterator, document, name) || !BSON_ITER_HOLDS_DOCUMENT(&iterator)) return NULL;
    bson_iter_document(&iterator, &length, &bytes);
    return bson_new_from_data(bytes, length);
}
