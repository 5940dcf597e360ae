#ifndef PA_PORTFILE_H
#define PA_PORTFILE_H

/*
 * The port file: where the manager of this host is. Its first line is the TCP
 * port; its second, if there is one, the path of the socket in the file system.
 */

enum {
    PA_PORTFILE_SOCKET_BYTES = 108, /* with the NUL: sun_path, unix(7) */
};

struct pa_portfile {
    int port;                              /* 0: no file that is believed */
    char socket[PA_PORTFILE_SOCKET_BYTES]; /* absolute; "": none that is believed */
};

/*
 * Reads the file DAQPORTMGR_PORTFILE if that is set, else
 * /var/tmp/daqportmgr/listen.port, else /var/tmp/daqportmanager/listen.port.
 *
 * A file is believed only when root or the caller owns both it and its folder,
 * not everybody may write to it, it is no symbolic link, and it holds a number
 * from 1 to 65535 on its first line.
 *
 * Its socket is believed only when root or the caller owns both it and its
 * folder, the folder is not open to everybody's writing (but under a sticky
 * bit), and it is a socket, no symbolic link. Whoever connects to it should
 * still ask SO_PEERCRED who listens.
 */
void pa_portfile_read(struct pa_portfile *file);

#endif
