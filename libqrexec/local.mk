noinst_LTLIBRARIES += %D%/libbase.la
%C%_libbase_la_SOURCES = \
	%D%/base/buf.c %D%/base/buf.h \
	%D%/base/io.c %D%/base/io.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/paths.c %D%/base/paths.h \
	%D%/base/util.c %D%/base/util.h
