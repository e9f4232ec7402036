FROM debian:bookworm-slim
RUN mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && apt-get update && apt-get install -y --no-install-recommends postgresql-15 libnss-wrapper tini \
 && rm -rf /var/lib/apt/lists/*
COPY entrypoint.sh /usr/local/bin/docker-entrypoint.sh
# psql in the container finds the server's socket in /tmp, which is writable also where the root is not.
# Any user may run it: the folders that PostgreSQL writes to belong to everybody, and /etc/passwd names the usual one.
RUN chmod 0755 /usr/local/bin/docker-entrypoint.sh \
 && echo 'dev:x:65532:65532:development:/tmp:/bin/sh' >> /etc/passwd \
 && echo 'dev:x:65532:' >> /etc/group \
 && mkdir -p /var/lib/postgresql/data /var/run/postgresql \
 && chmod 0777 /var/lib/postgresql /var/lib/postgresql/data /var/run/postgresql
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PGDATA=/var/lib/postgresql/data/pgdata \
    LANG=C.UTF-8 \
    PGHOST=/tmp
USER 65532:65532
# A fast shutdown: open connections are ended instead of waited for.
STOPSIGNAL SIGINT
EXPOSE 5432
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
