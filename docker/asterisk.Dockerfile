# The lab's Asterisk: Debian's own. bookworm and trixie have none; sid has 22. Which of the three servers
# it is, LAB_SERVER says (pbx1, pbx2, carrier). Build from the project's folder.
FROM debian:sid-slim

RUN apt-get update \
 && apt-get install -y --no-install-recommends asterisk \
 && rm -rf /var/lib/apt/lists/*

# The same check of the version as lab/up makes.
COPY lab/settings.bash lab/debian_root.bash /usr/local/lib/lab/
RUN bash -euc 'source /usr/local/lib/lab/settings.bash; source /usr/local/lib/lab/debian_root.bash; check_version ""' \
 && install -d -o asterisk -g asterisk /var/lab /var/lab/recordings \
      /var/lab/pbx1 /var/lab/pbx1/log /var/lab/pbx1/spool /var/lab/pbx1/cache \
      /var/lab/pbx2 /var/lab/pbx2/log /var/lab/pbx2/spool /var/lab/pbx2/cache \
      /var/lab/carrier /var/lab/carrier/log /var/lab/carrier/spool /var/lab/carrier/cache

COPY asterisk-conf /etc/asterisk-lab

USER asterisk
ENV LAB_SERVER=pbx1
VOLUME /var/lab

# AMI listens before all modules are loaded: fully booted is what counts.
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=6 \
  CMD asterisk -C "/etc/asterisk-lab/$LAB_SERVER/asterisk.conf" -rx 'core waitfullybooted' | grep -q 'fully booted'

CMD ["sh", "-c", "exec asterisk -f -C /etc/asterisk-lab/$LAB_SERVER/asterisk.conf"]
