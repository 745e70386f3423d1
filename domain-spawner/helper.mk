# The helper: the process with the rights, and what a domain of the local backend runs first.
noinst_LTLIBRARIES += %D%/libhelper.la
%C%_libhelper_la_SOURCES = \
	%D%/backend.h %D%/backend-local.c \
	%D%/guest-daemon.c %D%/guest-daemon.h \
	%D%/helper.c %D%/helper.h \
	%D%/helper-protocol.c %D%/helper-protocol.h \
	%D%/local-domain.c %D%/local-domain.h \
	%D%/local-home.c %D%/local-home.h \
	%D%/local-net.c %D%/local-net.h \
	%D%/local-proc.c %D%/local-proc.h \
	%D%/local-sandbox.c %D%/local-sandbox.h \
	%D%/local-stage.c %D%/local-stage.h \
	%D%/local-vchan.c %D%/local-vchan.h \
	%D%/watch.c %D%/watch.h
%C%_libhelper_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(XENLIGHT_CFLAGS)
%C%_libhelper_la_LIBADD = libqrexec/libbase.la $(JANSSON_LIBS)
XEN_BACKEND = %D%/backend-xen.c %D%/xen-builder.c %D%/xen-builder.h %D%/xen-builders.c \
	%D%/xen-config.c %D%/xen-config.h %D%/xen-daemon.c %D%/xen-disk.c %D%/xen-disk.h \
	%D%/xen-domain.c %D%/xen-domain.h %D%/xen-end.c %D%/xen-find.c %D%/xen-find.h \
	%D%/xen-log.c %D%/xen-log.h %D%/xen-loop.c %D%/xen-loop.h
if HAVE_XEN
%C%_libhelper_la_SOURCES += $(XEN_BACKEND)
%C%_libhelper_la_LIBADD += $(XENLIGHT_LIBS)
else
EXTRA_DIST += $(XEN_BACKEND)
endif
qubeslib_PROGRAMS += %D%/domain-spawner-helper
%C%_domain_spawner_helper_SOURCES = %D%/helper-main.c
%C%_domain_spawner_helper_LDADD = %D%/libhelper.la $(EV_LIBS)
vmlib_PROGRAMS += %D%/qrexec-domain-init
%C%_qrexec_domain_init_SOURCES = %D%/domain-init.c
%C%_qrexec_domain_init_LDADD = libqrexec/libbase.la

# what the front needs of the above, without the backends
noinst_LTLIBRARIES += %D%/libhelperproto.la
%C%_libhelperproto_la_SOURCES = %D%/helper-protocol.c %D%/helper-protocol.h
%C%_libhelperproto_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libhelperproto_la_LIBADD = libqrexec/libbase.la $(JANSSON_LIBS)
include domain-spawner/helper-tests.mk
