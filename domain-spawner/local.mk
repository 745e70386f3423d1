# domain-spawner
noinst_LTLIBRARIES += %D%/libspawner.la
%C%_libspawner_la_SOURCES = \
	%D%/dict.c %D%/dict.h %D%/domains.c %D%/domains.h %D%/life.c %D%/methods.c %D%/methods-info.c \
	%D%/methods-property.c %D%/property.c %D%/property.h %D%/property-check.c %D%/property-derive.c \
	%D%/property-table.c %D%/property-table.h %D%/refusal.c %D%/refusal.h %D%/registry.c %D%/server.c \
	%D%/spawner.h
%C%_libspawner_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libspawner_la_LIBADD = libqrexec/libwire.la libqrexec/libbase.la $(JANSSON_LIBS)
sbin_PROGRAMS += %D%/domain-spawner
%C%_domain_spawner_SOURCES = %D%/spawner-main.c
%C%_domain_spawner_LDADD = %D%/libspawner.la %D%/libhelper.la libqrexec/libloop.la

include domain-spawner/helper.mk
include domain-spawner/commands/commands.mk
