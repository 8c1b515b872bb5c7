/* How loops are written for every processor: in tiles of rows, and compiled once for each
of several instruction sets. Which one is used is decided when the program starts.
*/
#ifndef SKSOFTMAX_PROCESSORS_H
#define SKSOFTMAX_PROCESSORS_H

#define TILE 128

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && \
    defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define FOR_EACH_PROCESSOR                                                    \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR \
    __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#else
#define FOR_EACH_PROCESSOR
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#endif
