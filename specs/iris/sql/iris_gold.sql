SELECT
  species,
  avg(sepal_length) AS avg_sepal_length,
  avg(sepal_width) AS avg_sepal_width,
  avg(petal_length) AS avg_petal_length,
  avg(petal_width) AS avg_petal_width,
  min(sepal_length) AS min_sepal_length,
  max(sepal_length) AS max_sepal_length,
  count(*) AS count_records
FROM silver.iris_silver
GROUP BY species
