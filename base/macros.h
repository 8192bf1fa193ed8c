#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup attributes and the few macros that every file may use. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define STRLEN(literal) (sizeof("" literal "") - 1)

/* Moves a pointer out of a variable: the variable is NULL afterwards. */
#define TAKE_PTR(p)                                                                                \
        __extension__({                                                                            \
                typeof(p) *_pp = &(p);                                                             \
                typeof(p) _taken = *_pp;                                                           \
                *_pp = NULL;                                                                       \
                _taken;                                                                            \
        })

/* Moves a file descriptor out of a variable: the variable is -EBADF afterwards. */
#define TAKE_FD(fd)                                                                                \
        __extension__({                                                                            \
                int *_pfd = &(fd);                                                                 \
                int _taken = *_pfd;                                                                \
                *_pfd = -EBADF;                                                                    \
                _taken;                                                                            \
        })

/* Defines "free_fn ## p", the function that _cleanup_() wants for a variable of TYPE (a pointer).
 * The assertion is there to take the semicolon after it. */
#define DEFINE_CLEANUP(type, free_fn)                                                              \
        static inline _unused_ void free_fn##p(type *p) {                                          \
                if (*p)                                                                            \
                        free_fn(*p);                                                               \
        }                                                                                          \
        _Static_assert(true, "")

#define _cleanup_free_ _cleanup_(freep)
static inline void freep(void *p) {
        free(*(void **) p);
}

/* Closes if open; keeps errno. Defined in base/file.c. */
void closep(int *fd);
#define _cleanup_close_ _cleanup_(closep)

/* Room for one more in an array of n elements. It doubles whenever n is a power of two, so nobody
 * keeps a capacity. NULL when memory is short; the old array is then still there. */
static inline void *array_grow(void *array, size_t n, size_t size) {
        if ((n & (n - 1)) != 0)
                return array;
        return reallocarray(array, n > 0 ? 2 * n : 1, size);
}

/* The sorts of answer a qsort-like comparison gives, without overflow. */
#define CMP(a, b) (((a) > (b)) - ((a) < (b)))
