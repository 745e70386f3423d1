/*
 * elf-trim IN OUT: a kernel without the zeros at the end of its last segment and without section
 * headers. Loaders fill a segment's rest with zeros themselves; under emulation every megabyte
 * that need not be copied counts (66 MB become 41).
 */
#include "libqrexec/base/io.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int fail(const char *what)
{
    fprintf(stderr, "elf-trim: %s\n", what);
    return 1;
}

/* The segment that ends last in the file; NULL: no sound ELF file of 64 bits. */
static Elf64_Phdr *last_segment(unsigned char *data, size_t n)
{
    Elf64_Ehdr *e = (void *)data;
    Elf64_Phdr *last = NULL;

    if (n < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
        e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_phoff > n ||
        (n - e->e_phoff) / sizeof(Elf64_Phdr) < e->e_phnum)
        return NULL;
    for (unsigned i = 0; i < e->e_phnum; i++) {
        Elf64_Phdr *p = (Elf64_Phdr *)(void *)(data + e->e_phoff) + i;

        if (p->p_type == PT_LOAD && (!last || p->p_offset > last->p_offset))
            last = p;
    }
    return last && last->p_offset <= n && n - last->p_offset >= last->p_filesz ? last : NULL;
}

int main(int argc, char **argv)
{
    unsigned char *data;
    Elf64_Phdr *last;
    struct stat st;
    int in, out;

    if (argc != 3)
        return fail("usage: elf-trim IN OUT");
    in = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (in < 0 || fstat(in, &st) < 0)
        return fail("cannot read the first file");
    data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, in, 0);
    if (data == MAP_FAILED)
        return fail("cannot map the first file");
    last = last_segment(data, (size_t)st.st_size);
    if (!last)
        return fail("no ELF file of 64 bits");
    while (last->p_filesz && !data[last->p_offset + last->p_filesz - 1])
        last->p_filesz--;
    ((Elf64_Ehdr *)(void *)data)->e_shoff = 0;
    ((Elf64_Ehdr *)(void *)data)->e_shnum = ((Elf64_Ehdr *)(void *)data)->e_shstrndx = 0;
    out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out < 0 || write_full(out, data, last->p_offset + last->p_filesz) || close(out) < 0)
        return fail("cannot write the second file");
    return 0;
}
