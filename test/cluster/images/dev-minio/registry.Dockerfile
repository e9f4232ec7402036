FROM minio/minio:RELEASE.2025-09-07T16-13-09Z
USER root
RUN mkdir -p -m 0777 /data && chmod 0777 /data
ENV HOME=/tmp MINIO_BROWSER=off
USER 65532:65532
EXPOSE 9000
VOLUME /data
ENTRYPOINT ["minio"]
CMD ["server", "/data"]
