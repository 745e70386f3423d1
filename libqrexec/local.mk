# base: the C library, libseccomp and inih only
noinst_LTLIBRARIES += %D%/libbase.la
%C%_libbase_la_SOURCES = \
	%D%/base/buf.c %D%/base/buf.h \
	%D%/base/charge.c %D%/base/charge.h \
	%D%/base/ini.c %D%/base/ini.h \
	%D%/base/io.c %D%/base/io.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/notify.c %D%/base/notify.h \
	%D%/base/paths.c %D%/base/paths.h \
	%D%/base/sandbox.c %D%/base/sandbox.h \
	%D%/base/spawn.c %D%/base/spawn.h \
	%D%/base/util.c %D%/base/util.h
%C%_libbase_la_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS) $(SECCOMP_CFLAGS)
%C%_libbase_la_LIBADD = $(INIH_LIBS) $(SECCOMP_LIBS)


# wire: nothing but the C language
noinst_LTLIBRARIES += %D%/libwire.la
%C%_libwire_la_SOURCES = \
	%D%/wire/admin.c %D%/wire/admin.h \
	%D%/wire/command.c %D%/wire/command.h \
	%D%/wire/io.c \
	%D%/wire/message.c %D%/wire/message.h \
	%D%/wire/message-write.c \
	%D%/wire/policy-text.c %D%/wire/policy-text.h \
	%D%/wire/text.c %D%/wire/text.h \
	%D%/wire/vmexec.c %D%/wire/vmexec.h
