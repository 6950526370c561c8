#include "proto/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* gcc's AddressSanitizer knows the bounds of what malloc() gave, not of a
 * mapping; clang, which does not define this, tests the mappings. */
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#define OWN_PAGES
#endif

static void *must_have(void *p)
{
	if (p)
		return p;
	fputs("executor: out of memory\n", stderr);
	abort();
}

void *mem_alloc(size_t len)
{
	return must_have(malloc(len ? len : 1));
}

void *mem_zalloc(size_t len)
{
	/* glibc's calloc() does not look into the cache of its thread. */
	return memset(mem_alloc(len), 0, len);
}

void *mem_grow(void *old, size_t len)
{
	return must_have(realloc(old, len ? len : 1));
}

void *mem_copy(const void *from, size_t len)
{
	void *to = mem_alloc(len);

	if (len > 0)
		memcpy(to, from, len);
	return to;
}

char *mem_ntext(const char *text, size_t len)
{
	char *to = mem_alloc(len + 1);

	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
	return to;
}

char *mem_text(const char *text)
{
	return mem_ntext(text, strlen(text));
}

#ifdef OWN_PAGES
static void *must_be_mapped(void *p)
{
	return must_have(p == MAP_FAILED ? NULL : p);
}

void *mem_pages(size_t len)
{
	void *p = must_be_mapped(mmap(NULL, len, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	/* A system without huge pages refuses, and that is all. */
	madvise(p, len, MADV_HUGEPAGE);
	return p;
}

void *mem_pages_grow(void *old, size_t old_len, size_t len)
{
	return must_be_mapped(mremap(old, old_len, len, MREMAP_MAYMOVE));
}

void mem_pages_free(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}
#else
void *mem_pages(size_t len)
{
	return mem_alloc(len);
}

void *mem_pages_grow(void *old, size_t old_len, size_t len)
{
	(void)old_len;
	return mem_grow(old, len);
}

void mem_pages_free(void *p, size_t len)
{
	(void)len;
	free(p);
}
#endif

void mem_random(void *to, size_t len)
{
	char *next = to;

	while (len > 0) {
		size_t step = len < 256 ? len : 256;

		/* getentropy(3) fails only where the kernel has no random. */
		if (getentropy(next, step) != 0)
			abort();
		next += step;
		len -= step;
	}
}

void mem_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

void mem_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
