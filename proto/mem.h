/*
 * mem: memory that is there, or the end of the program.
 *
 * Running out is not an error to handle: durable state is on disk, and a
 * restart is the recovery that is tested anyway.  Safe only because every size
 * that comes from outside is compared with a limit first.
 */
#ifndef PROTO_MEM_H
#define PROTO_MEM_H

#include <stddef.h>

void *mem_alloc(size_t len);	       /* uninitialised */
void *mem_zalloc(size_t len);	       /* zeroed */
void *mem_grow(void *old, size_t len); /* realloc */
void *mem_copy(const void *from, size_t len);
char *mem_text(const char *text);	       /* strdup */
char *mem_ntext(const char *text, size_t len); /* a NUL is put behind */

/* The same for something large, which gets pages apart from the heap: huge ones
 * where the system has them, because to fault in small ones one by one takes
 * longer than all that is done with a large message.  They go back to the
 * system when they are released.  Each len is whole times MEM_PAGES_BYTES; of
 * the last so many bytes more may be resident than were touched. */
enum { MEM_PAGES_BYTES = 2 * 1024 * 1024 };
void *mem_pages(size_t len);
void *mem_pages_grow(void *old, size_t old_len, size_t len);
void mem_pages_free(void *p, size_t len); /* p may be NULL */

/* len bytes from the kernel's generator; aborts when there are none. */
void mem_random(void *to, size_t len);

/* Overwrite a secret; not optimised away. */
void mem_wipe(void *p, size_t len);

/* Give what is free back to the system, where the C library can; it keeps it
 * otherwise.  Takes some 10 us for each MiB: for a moment when much was freed.
 */
void mem_trim(void);

#endif
