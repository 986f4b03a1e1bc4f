CREATE OR REFRESH STREAMING TABLE events AS SELECT * FROM STREAM read_files('/Volumes/shop/landing/events')
