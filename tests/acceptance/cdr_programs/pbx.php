<?php
// A client of the PBX's API: reads all pages and prints their results.
//
//     php pbx.php BASE_URL TOKEN 'FILTERS AS JSON' form|json|get

[, $base, $token, $filters, $manner] = $argv;
$results = array();
$page = 1;
do {
    $params = array(
        'page' => $page,
        'filters' => array_merge(
            array(
                'date_between' => null,
                'project_id' => null,
                'direction' => null,
                'hour_between' => null,
                'has_recording_file' => null,
            ),
            json_decode($filters, true)
        ),
    );
    $params['api_hash'] = md5(http_build_query($params) . $token);
    $query = http_build_query($params);
    $url = $base . '/api/cdr' . ($manner == 'get' ? '?' . $query : '');
    $http = array(
        'method' => $manner == 'get' ? 'GET' : 'POST',
        'header' => array('Content-Type: text/xml', "Authorization: Bearer {$token}"),
        'content' => $manner == 'form' ? $query : ($manner == 'json' ? json_encode($params) : ''),
        'timeout' => 30,
    );
    $answer = json_decode(file_get_contents($url, false, stream_context_create(array('http' => $http))), true);
    if ($answer['has_error']) {
        fwrite(STDERR, implode("\n", $answer['messages']));
        exit(1);
    }
    $results = array_merge($results, $answer['results']);
    $page += 1;
} while ($page <= $answer['pagination']['max_page']);
echo json_encode($results), "\n";
