#include "proto/json_scan.h"

#include "proto/err.h"
#include "proto/json.h"
#include "proto/json_plain.h"
#include "proto/utf8.h"

/*
 * The skip functions take and return the position, which so stays in a
 * register; s is there for the end of the text and for what went wrong.  NULL
 * means that *e is filled and s->at tells where.
 *
 * Strings are short.  To look at 16 bytes for the end of each would make every
 * string wait for the one before; so 64 bytes are looked at when the first of
 * them is needed, and what was found is kept: a bit for each.
 */

enum { LOOK_BYTES = 64 }; /* as many as s->marks has bits */

bool json_scan_fail(const struct json_scan *s, const char *why, struct err *e)
{
	return err_set(e, ERR_PARSE, "not JSON at byte %zu: %s",
		       (size_t)(s->at - s->text), why);
}

static const char *stop(struct json_scan *s, const char *at, const char *why,
			struct err *e)
{
	s->at = at;
	json_scan_fail(s, why, e);
	return NULL;
}

static inline bool is_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

static inline bool is_byte(const char *at, const char *end, char c)
{
	return at < end && *at == c;
}

static inline bool is_pair(const char *at, const char *end, const char *pair)
{
	return end - at >= 2 && memcmp(at, pair, 2) == 0;
}

/* At least one digit. */
static inline const char *skip_digits(struct json_scan *s, const char *at,
				      struct err *e)
{
	if (!is_digit(at, s->end))
		return stop(s, at, "a digit is missing", e);
	do
		at++;
	while (is_digit(at, s->end));
	return at;
}

/* RFC 8259, section 6: number = [ minus ] int [ frac ] [ exp ], where int has
 * no leading zeros. */
static inline const char *skip_number(struct json_scan *s, const char *at,
				      struct err *e)
{
	if (is_byte(at, s->end, '-'))
		at++;
	if (is_byte(at, s->end, '0'))
		at++;
	else if (!(at = skip_digits(s, at, e)))
		return NULL;
	if (is_byte(at, s->end, '.') && !(at = skip_digits(s, at + 1, e)))
		return NULL;
	if (is_byte(at, s->end, 'e') || is_byte(at, s->end, 'E')) {
		at++;
		if (is_byte(at, s->end, '+') || is_byte(at, s->end, '-'))
			at++;
		at = skip_digits(s, at, e);
	}
	return at;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* RFC 8259, section 7: what may follow a backslash. */
static const bool is_escape[256] = {
	['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true, ['f'] = true,
	['n'] = true, ['r'] = true,  ['t'] = true, ['u'] = true,
};

/* Behind a backslash.  \u takes any four digits: half a surrogate pair is
 * legal in JSON (RFC 8259, section 8.2), and JavaScript writes it. */
static inline const char *skip_escape(struct json_scan *s, const char *at,
				      struct err *e)
{
	if (at == s->end || !is_escape[(unsigned char)*at])
		return stop(s, at, "no such escape", e);
	if (*at++ != 'u')
		return at;
	for (int i = 0; i < 4; i++, at++)
		if (at == s->end || !is_hex(*at))
			return stop(s, at, "\\u needs four hex digits", e);
	return at;
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

const char *json_space_run_end(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	return at;
}

/* The marks before seen, of a text that has fewer bytes than that. */
static uint64_t marks_of_few(const char *text, const char *seen)
{
	size_t left = (size_t)(seen - text);
	uint64_t marks = 0;

	if (left < 16) {
		for (; left > 0; left--)
			marks = marks >> 1 | (uint64_t)!json_plain(*text++)
						     << 63;
		return marks;
	}
	for (; left > 16; left -= 16)
		marks |= (uint64_t)json_marks(seen - left)
			 << (LOOK_BYTES - left);
	/* Bytes that are looked at again have the marks that they had. */
	return marks | (uint64_t)json_marks(seen - 16) << (LOOK_BYTES - 16);
}

/* Find the marks from at on; near the end, those of the last bytes.  Apart,
 * because few strings need it. */
static void __attribute__((noinline))
look_ahead(struct json_scan *s, const char *at)
{
	s->seen = s->end - at < LOOK_BYTES ? s->end : at + LOOK_BYTES;
	if (s->seen - s->text < LOOK_BYTES) {
		s->marks = marks_of_few(s->text, s->seen);
		return;
	}
	at = s->seen - LOOK_BYTES;
	s->marks = (uint64_t)json_marks(at) |
		   (uint64_t)json_marks(at + 16) << 16 |
		   (uint64_t)json_marks(at + 32) << 32 |
		   (uint64_t)json_marks(at + 48) << 48;
}

/* The first byte from at on, in a string, that is not plain; or the end. */
static inline const char *skip_plain(struct json_scan *s, const char *at)
{
	for (;;) {
		if (at >= s->seen) {
			if (at == s->end)
				return at;
			look_ahead(s, at);
		}
		uint64_t marks =
			s->marks >> (size_t)(at - s->seen) % LOOK_BYTES;

		if (marks != 0)
			return at + (unsigned)__builtin_ctzll(marks);
		at = s->seen;
	}
}

/* The rest of a string that has more than plain bytes: from the first that is
 * not, to behind the closing quote. */
static const char *skip_rest(struct json_scan *s, const char *at, struct err *e)
{
	const char *const end = s->end;

	for (;; at = skip_plain(s, at)) {
		if (at == end)
			return stop(s, at, "a string has no end", e);
		unsigned char c = (unsigned char)*at;

		if (c == '"')
			return at + 1;
		if (c == '\\') {
			at = skip_escape(s, at + 1, e);
			if (!at)
				return NULL;
			continue;
		}
		if (c < 0x20)
			return stop(s, at, "a control character in a string",
				    e);
		at = utf8_run_end(at, end);
		if (at < end && (unsigned char)*at >= 0x80)
			return stop(s, at, "not UTF-8", e);
	}
}

/* Behind the opening quote, to behind the closing one. */
static inline const char *skip_string(struct json_scan *s, const char *at,
				      struct err *e)
{
	at = skip_plain(s, at);
	if (is_byte(at, s->end, '"'))
		return at + 1;
	return skip_rest(s, at, e);
}

/* Behind a key's opening quote, to behind the colon; *len is the key's. */
static inline const char *skip_key(struct json_scan *s, const char *at,
				   size_t *len, struct err *e)
{
	const char *key = at;

	at = skip_plain(s, at);
	*len = (size_t)(at - key);
	/* What nearly every key of nearly every message ends with. */
	if (is_pair(at, s->end, "\":"))
		return at + 2;
	at = skip_rest(s, at, e);
	if (!at)
		return NULL;
	*len = (size_t)(at - key) - 1;
	at = json_space_end(at, s->end);
	if (!is_byte(at, s->end, ':'))
		return stop(s, at, "expected :", e);
	return at + 1;
}

static inline const char *skip_word(struct json_scan *s, const char *at,
				    struct slice word, struct err *e)
{
	if ((size_t)(s->end - at) < word.len ||
	    memcmp(at, word.ptr, word.len) != 0)
		return stop(s, at, "no value begins like this", e);
	return at + word.len;
}

static const char *skip_number_or_word(struct json_scan *s, const char *at,
				       struct err *e)
{
	if (at == s->end)
		return stop(s, at, "a value is missing", e);
	if (*at == '-' || is_digit(at, s->end))
		return skip_number(s, at, e);
	switch (*at) {
	case 't':
		return skip_word(s, at, (struct slice){"true", 4}, e);
	case 'f':
		return skip_word(s, at, (struct slice){"false", 5}, e);
	case 'n':
		return skip_word(s, at, (struct slice){"null", 4}, e);
	default:
		return stop(s, at, "no value begins like this", e);
	}
}

/* The byte at at; NUL, which is in no JSON text, at the end. */
static inline char peek(const char *at, const char *end)
{
	return at < end ? *at : '\0';
}

/* What is open in a value. */
struct nest {
	unsigned open;
	unsigned limit;		  /* at most JSON_DEPTH */
	char closer;		  /* of the innermost */
	char closers[JSON_DEPTH]; /* of all, innermost last */
};

/* Behind a bracket: remember how it closes. */
static inline bool open_nest(struct json_scan *s, struct nest *n,
			     const char *at, struct err *e)
{
	if (n->open == n->limit) {
		s->at = at;
		return err_set(e, ERR_TOO_LARGE,
			       "JSON nested too deep at byte %zu: the limit is "
			       "%d",
			       (size_t)(at - s->text), JSON_DEPTH);
	}
	n->closer = *at == '{' ? '}' : ']';
	n->closers[n->open++] = n->closer;
	return true;
}

/* Behind a value: close what ends here.  Returns behind the comma that leads
 * to another value, or, with n->open 0, behind all of it. */
static inline const char *close_nests(struct json_scan *s, struct nest *n,
				      const char *at, struct err *e)
{
	char c;

	while ((c = peek(at, s->end)) != ',') {
		if (c == n->closer) {
			at++;
			if (--n->open == 0)
				return at;
			n->closer = n->closers[n->open - 1];
		} else if (is_space(c)) {
			at = json_space_end(at, s->end);
		} else {
			return stop(s, at, "expected , or the closing bracket",
				    e);
		}
	}
	return at + 1;
}

/* A key behind white space, to behind its colon. */
static inline const char *skip_spaced_key(struct json_scan *s, const char *at,
					  struct err *e)
{
	size_t len; /* of no interest */

	if (!is_byte(at, s->end, '"'))
		at = json_space_end(at, s->end);
	if (!is_byte(at, s->end, '"'))
		return stop(s, at, "expected a member's name", e);
	return skip_key(s, at + 1, &len, e);
}

/* An array or an object with all that is in it.  White space is looked for
 * where nothing else is found: most writers leave none. */
static const char *skip_nest(struct json_scan *s, const char *at,
			     unsigned depth, struct err *e)
{
	struct nest nest;

	nest.open = 0;
	nest.limit = depth;
	nest.closer = '\0';
	for (;;) {
		char c = peek(at, s->end);
		bool begun = false;

		if (c == '"') {
			at = skip_string(s, at + 1, e);
		} else if (c == '{' || c == '[') {
			if (!open_nest(s, &nest, at, e))
				return NULL;
			at = json_space_end(at + 1, s->end);
			begun = !is_byte(at, s->end, nest.closer);
		} else if (is_space(c)) {
			at = json_space_end(at, s->end);
			continue;
		} else {
			at = skip_number_or_word(s, at, e);
		}
		if (at && !begun)
			at = close_nests(s, &nest, at, e);
		if (!at || nest.open == 0)
			return at;
		if (nest.closer == '}') {
			at = skip_spaced_key(s, at, e);
			if (!at)
				return NULL;
		}
	}
}

static inline const char *skip_value(struct json_scan *s, const char *at,
				     unsigned depth, struct err *e)
{
	char c = peek(at, s->end);

	if (c == '"')
		return skip_string(s, at + 1, e);
	if (c == '{' || c == '[')
		return skip_nest(s, at, depth, e);
	return skip_number_or_word(s, at, e);
}

bool json_scan_value(struct json_scan *s, unsigned depth, struct err *e)
{
	const char *at = skip_value(s, s->at, depth, e);

	if (at)
		s->at = at;
	return at != NULL;
}

/* A member, to behind its value. */
static inline const char *skip_member(struct json_scan *s, const char *at,
				      unsigned depth, struct json_member *m,
				      struct err *e)
{
	if (!is_byte(at, s->end, '"'))
		return stop(s, at, "expected a member's name", e);
	m->key.ptr = ++at;
	at = skip_key(s, at, &m->key.len, e);
	if (!at)
		return NULL;
	at = json_space_end(at, s->end);
	m->value.ptr = at;
	at = skip_value(s, at, depth, e);
	if (at)
		m->value.len = (size_t)(at - m->value.ptr);
	return at;
}

bool json_scan_member(struct json_scan *s, unsigned depth,
		      struct json_member *m, struct err *e)
{
	const char *at = skip_member(s, s->at, depth, m, e);

	if (at)
		s->at = at;
	return at != NULL;
}

bool json_scan_members(struct json_scan *s, unsigned depth,
		       json_scan_event *on_member, void *owner, struct err *e)
{
	const char *at = json_space_end(s->at, s->end);
	struct json_member m;

	if (!is_byte(at, s->end, '}'))
		for (;;) {
			at = skip_member(s, at, depth, &m, e);
			if (!at)
				return false;
			on_member(owner, m.key, m.value);
			at = json_space_end(at, s->end);
			if (!is_byte(at, s->end, ','))
				break;
			at = json_space_end(at + 1, s->end);
		}
	if (!is_byte(at, s->end, '}'))
		return stop(s, at, "expected , or }", e) != NULL;
	s->at = at + 1;
	return true;
}

bool json_scan_end(struct json_scan *s, struct err *e)
{
	json_scan_space(s);
	if (s->at < s->end)
		return json_scan_fail(s, "something behind the value", e);
	return true;
}
