/* manifest: what is read as a manifest prints as one, and is the same. */
#include "election/manifest.h"

#include <assert.h>
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char first[MANIFEST_LIMIT_BYTES];
	static char second[MANIFEST_LIMIT_BYTES];
	struct manifest m;
	struct manifest again;

	if (!manifest_parse((const char *)data, size, &m))
		return 0;
	assert(memchr(m.socket, '\0', sizeof(m.socket)));
	assert(memchr(m.version, '\0', sizeof(m.version)));
	size_t len = manifest_print(&m, first, sizeof(first));
	assert(len > 0);
	assert(manifest_parse(first, len, &again));
	assert(manifest_print(&again, second, sizeof(second)) == len);
	assert(memcmp(first, second, len) == 0);
	return 0;
}
